package main

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/cli"
)

// hostile gives each command that takes an id, a version or an environment what
// git, a shell or a disk would take for something else.
func hostile(ts *testscript.TestScript, _ bool, _ []string) {
	ids := []string{
		"--upload-pack=touch $WORK/pwn", "--exec=sh", "-c", "core.pager=touch pwn", "--output=/etc/x", "-", "",
		"../x", "a/../../b", "/etc/passwd", "a//b", "a/", "./a", "a/b/c/d/e", "..", ".", ".git", "a..b", "a.", "a.lock",
		"%2e%2e%2f", `..\x`, "C:/x", "a:b", "a@{1}", "a~1", "a^", "a b", "a\nb", "a\tb", "a\x1b[2J", "a\xff", "A", "Customer-Support",
		"ünïcode", "a\u2215b", "a\u202eb", "٣", "*", "a?", "[a]", "HEAD^{commit}", strings.Repeat("a", 300), strings.Repeat("a/", 3) + strings.Repeat("b", 65),
		"_shared", "_shared/", "_shared/../x", "_x", "$(touch pwn)", "`touch pwn`", ";touch pwn", "|x", "&x", "~", "#", "con/", "'",
	}
	versions := []string{
		"v1.0.0", "1.0", "1", "01.0.0", "1.00.0", "1.0.0+meta", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0-a_b", "1.0.0-é", "٣.0.0", "１.0.0",
		"99999999999999999999.0.0", "-1.0.0", "1.0.0.0", "1.0.0 ", " 1.0.0", "1.0.0\n", "latest", "1.x", "^1", "*", "--upload-pack=x", "-c", "../1.0.0",
		"1.0.0-" + strings.Repeat("a", 80), "1.0.0~1", "1.0.0^{}", "1.0.0@{0}", "1.0.0-a.lock/..",
	}
	const good = "customer-support"
	for _, id := range ids {
		for _, args := range [][]string{
			{"new"},
			{"validate"},
			{"status"},
			{"show"},
			{"log"},
			{"blame"},
			{"diff"},
			{"diff", good},
			{"history"},
			{"release", "--patch", "-m", "x"},
			{"bump", "--patch", "-m", "x"},
			{"deploy", "--env", "dev"},
			{"plan", "--env", "dev"},
			{"promote", "--env", "dev"},
			{"rollback", "--env", "dev"},
			{"shift", "--env", "dev", "--to", "5"},
			{"rollout", "show", "--env", "dev"},
			{"rollout", "watch", "--env", "dev"},
			{"rollout", "pause", "--env", "dev"},
			{"rollout", "abort", "--env", "dev"},
			{"resolve", "--env", "dev", "--subject", "u"},
		} {
			refused(ts, append(args, "--", id)...)
			if args[0] == "show" || args[0] == "deploy" {
				refused(ts, append(args, "--", id+"@1.0.0")...)
			}
		}
		if id != "" {
			refused(ts, "release", good, "--minor", "--pre="+id+"_", "-m", "x")
		}
	}
	for _, v := range versions {
		for _, args := range [][]string{
			{"show", good + "@" + v},
			{"blame", good + "@" + v},
			{"diff", good + "@" + v},
			{"diff", good, "@" + v},
			{"deploy", "--env=dev", good + "@" + v},
			{"plan", "--env=dev", good + "@" + v},
			{"rollback", "--env=dev", "--to=" + v, good},
			{"release", "-m=x", "--version=" + v, good},
			{"bump", "-m=x", "--version=" + v, good},
		} {
			refused(ts, args...)
		}
	}
	for _, share := range []string{"", "-1", "101", "1e2", "NaN", "5.", ".5", "0.0001", "5,5", "0x5", "٥", "1 0", "99999999999999999999"} {
		refused(ts, "shift", good, "--env=dev", "--to="+share)
		if share != "" {
			refused(ts, "deploy", good+"@1.0.0", "--env=dev", "--canary="+share)
		}
	}
}

// refused runs incipit in this process, since a table of a thousand command
// lines would start a thousand.
func refused(ts *testscript.TestScript, args ...string) {
	var out, errs bytes.Buffer
	args = append([]string{"-C", ts.MkAbs(".")}, args...)
	now := func() time.Time { return time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC) }
	if got := cli.Main(args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, nil, now); got != 2 {
		ts.Fatalf("%q: exit status %d, want 2\n%s%s", args, got, &out, &errs)
	}
	if out.Len() > 0 {
		ts.Fatalf("%q printed %q", args, &out)
	}
	for _, c := range errs.String() {
		if c != '\n' && (c < ' ' || c == 0x7f || c == 0x202e || c == utf8.RuneError) {
			ts.Fatalf("%q answered %q", args, &errs)
		}
	}
}
