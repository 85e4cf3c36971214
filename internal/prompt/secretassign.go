package prompt

import (
	"bytes"
	"slices"
	"strings"
)

// assignments looks for a name such as api_key, Password or client-secret with
// a value that is no word: in code, in configuration or in a sentence.
func (f *finder) assignments() {
	for i := range len(f.text) {
		next := i + 1
		switch f.text[i] {
		default:
			continue
		case '=', ':':
		case ' ':
			if i+1 == len(f.text) || f.text[i+1] != 'i' || !bytes.HasPrefix(f.text[i:], []byte(" is ")) {
				continue
			}
			next = i + len(" is ")
		}
		kind := credentialName(f.text[:i])
		if kind == "" {
			continue
		}
		start, end := assignedValue(f.text, next)
		value := f.text[start:end]
		switch {
		case kind == "password" && passwordLike(value) && !placeholder(value):
			f.add(start, end, "generic-password", "this looks like a password")
		case kind == "secret" && len(value) >= 16 && opaque(value) && random(value) && !placeholder(value):
			f.add(start, end, "generic-secret", "this looks like a key or token")
		}
	}
}

// credentialName says what the name that ends before is a name of: a password,
// a secret or, if empty, something else. API key, api_key and apiKey are one.
func credentialName(before []byte) string {
	var name [24]byte
	n := len(name)
	quoted := true // still between the name and its separator
collect:
	for i := len(before) - 1; i >= 0 && n > 0; i-- {
		switch c := before[i] | 0x20; { // to lower case
		case 'a' <= c && c <= 'z', '0' <= before[i] && before[i] <= '9':
			n--
			name[n] = c
			quoted = false
		case before[i] == ' ', before[i] == '_', before[i] == '-', before[i] == '.':
		case quoted && strings.IndexByte("\"'`*])\t", before[i]) >= 0:
		default:
			break collect
		}
	}
	s := name[n:]
	hasSuffix := func(suffix string) bool { return bytes.HasSuffix(s, []byte(suffix)) }
	if slices.ContainsFunc([]string{"password", "passwd", "passphrase", "passcode", "pwd"}, hasSuffix) {
		return "password"
	}
	if slices.ContainsFunc([]string{
		"pagetoken", "continuationtoken", "csrftoken", "xsrftoken", "synctoken", "idempotencytoken",
	}, hasSuffix) {
		return ""
	}
	if slices.ContainsFunc([]string{
		"token", "secret", "apikey", "accesskey", "secretkey", "secretkeybase", "privatekey", "authkey",
		"accountkey", "signingkey", "encryptionkey", "masterkey", "licensekey", "credential", "credentials", "authorization",
	}, hasSuffix) {
		return "secret"
	}
	return ""
}

// assignedValue finds the value behind the separator that ends at i.
func assignedValue(text []byte, i int) (start, end int) {
	for i < len(text) && strings.IndexByte("=>:~* \t", text[i]) >= 0 {
		i++
	}
	var quote byte
	if i < len(text) && strings.IndexByte("\"'`", text[i]) >= 0 {
		quote = text[i]
		i++
	}
	for _, scheme := range []string{"Bearer ", "bearer ", "Basic ", "Token "} {
		if bytes.HasPrefix(text[i:], []byte(scheme)) {
			i += len(scheme)
		}
	}
	start, end = i, i
	for end < len(text) && end-start < secretWindow && text[end] > ' ' && text[end] != '"' && text[end] != '`' && text[end] != '\'' {
		end++
	}
	if quote != 0 && end < len(text) && text[end] == quote {
		return start, end
	}
	return start, start + len(bytes.TrimRight(text[start:end], ".,:;)]}>*"))
}

// passwordLike reports whether v is what people are made to choose: three
// kinds of character and a digit among them. Paths and code are not.
func passwordLike(v []byte) bool {
	if len(v) < 8 || len(v) > 64 || bytes.ContainsAny(v, "()[]<>") || bytes.Contains(v, []byte(":/")) ||
		bytes.Contains(v, []byte(`:\`)) || strings.IndexByte("/~.", v[0]) >= 0 {
		return false
	}
	var lower, upper, digit, dot, other int
	for _, c := range v {
		switch classOf(c) {
		case 'a':
			lower = 1
		case 'A':
			upper = 1
		case '0':
			digit = 1
		default:
			if c == '.' || c == '_' {
				dot = 1
			} else {
				other = 1
			}
		}
	}
	if dot == 1 && other == 0 { // config.Password2
		return false
	}
	return digit == 1 && lower+upper+digit+other >= 3 && entropy(v) >= 2.5
}

// opaque reports whether v is written in the alphabet of keys and is neither a
// UUID, which names things more often than it guards them, nor a path.
func opaque(v []byte) bool {
	for _, c := range v {
		if !keyChar(c) && c != '~' {
			return false
		}
	}
	uuid := len(v) == 36 && v[8] == '-' && v[13] == '-' && v[18] == '-' && v[23] == '-'
	return !uuid && v[0] != '/'
}
