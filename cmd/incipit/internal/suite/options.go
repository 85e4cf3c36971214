package suite

// evaluateOptions reads how a suite is run. What it says of the command line
// counts more than evaluateOptions, as with promptfoo.
func (l *loader) evaluateOptions(root *node) EvaluateOptions {
	var o EvaluateOptions
	evaluate, command := root.get("evaluateOptions"), root.get("commandLineOptions")
	for _, f := range []struct {
		n    *node
		keys keySet
		name string
	}{{evaluate, evaluateKeys, "evaluateOptions"}, {command, commandKeys, "commandLineOptions"}} {
		if f.n.empty() {
			continue
		}
		if f.n.kind != mapping {
			l.errorAt(f.n, "shape", f.name+" takes a mapping, this is "+f.n.kind.String(), "")
			continue
		}
		l.checkKeys(f.n, f.keys, f.name)
		o.Repeat = max(l.count(f.n, "repeat", 1), zeroIf(f.n, "repeat", o.Repeat))
		o.MaxConcurrency = max(l.count(f.n, "maxConcurrency", 1), zeroIf(f.n, "maxConcurrency", o.MaxConcurrency))
		o.DelayMS = max(l.count(f.n, "delay", 0), zeroIf(f.n, "delay", o.DelayMS))
		o.TimeoutMS = max(l.count(f.n, "timeoutMs", 0), zeroIf(f.n, "timeoutMs", o.TimeoutMS))
	}
	return o
}

// zeroIf is what was said before, 0 if n says key itself.
func zeroIf(n *node, key string, before int) int {
	if n.get(key).empty() {
		return before
	}
	return 0
}
