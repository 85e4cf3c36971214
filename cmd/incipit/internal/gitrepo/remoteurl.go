package gitrepo

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A RemoteURL is where a repository is fetched from: https, ssh, or a
// directory of this machine. ParseRemote alone makes one. It never holds a
// password, so it may stand in a log.
type RemoteURL struct {
	text   string
	scheme string // https, ssh or file
	host   string // with the port, for https
}

const remoteFix = "write https://host/team/prompts.git, git@host:team/prompts.git, or the absolute path of a directory"

// ParseRemote accepts https://host/path, ssh://[user@]host/path, the short form
// [user@]host:path, and the absolute path of a directory, which may be away for
// now. All other transports of git are refused, since some of them run programs, and so
// is a password in the URL, since it would be seen in lists of processes.
func ParseRemote(s string) (RemoteURL, error) {
	invalid := func(why string) (RemoteURL, error) {
		return RemoteURL{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q cannot be the URL of a repository: %s", withoutUserinfo(s), why), remoteFix)
	}
	switch {
	case s == "":
		return invalid("it is empty")
	case len(s) > 1024:
		return invalid("it is longer than 1024 characters")
	case s[0] == '-':
		return invalid("it starts like an option")
	case prompt.Visible(s) != s || strings.ContainsAny(s, "\n\t"):
		return invalid("it holds characters that cannot be seen")
	case filepath.IsAbs(s):
		if fi, err := os.Stat(s); err == nil && !fi.IsDir() {
			return invalid("it is no directory")
		}
		return RemoteURL{text: filepath.Clean(s), scheme: "file"}, nil
	case strings.ContainsFunc(s, notURLChar):
		return invalid("spaces, quotes, brackets, backslashes and characters outside ASCII cannot stand in it")
	case strings.Contains(s, "://"):
		return parseURL(s, invalid)
	}
	return parseShort(s, invalid)
}

func parseURL(s string, invalid func(string) (RemoteURL, error)) (RemoteURL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return invalid("it is no URL")
	}
	_, hasPassword := u.User.Password()
	switch {
	case u.Scheme != "https" && u.Scheme != "ssh":
		return invalid("only https and ssh are supported")
	case hasPassword || u.Scheme == "https" && u.User != nil:
		return RemoteURL{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the URL %s holds a name or password, which others could read", withoutUserinfo(s)),
			"leave them out, and give the token in INCIPIT_GIT_TOKEN")
	case u.User != nil && !isWord(u.User.Username()):
		return invalid("its user is no plain name")
	case !isHost(u.Hostname()) || u.Port() == "" && strings.HasSuffix(u.Host, ":"):
		return invalid("its host is no host name")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return invalid("it has a part behind ? or #")
	case strings.Trim(u.Path, "/") == "":
		return invalid("it names a host and no repository")
	case strings.ContainsFunc(u.Path, notURLChar):
		return invalid("an encoded character in it cannot stand in a path")
	case strings.HasPrefix(strings.TrimLeft(u.Path, "/"), "-"):
		return invalid("its path starts like an option")
	}
	return RemoteURL{text: s, scheme: u.Scheme, host: u.Host}, nil
}

// parseShort reads git@host:path. A double colon is how git names a program to
// run, as in ext::sh.
func parseShort(s string, invalid func(string) (RemoteURL, error)) (RemoteURL, error) {
	where, path, ok := strings.Cut(s, ":")
	user, host, hasUser := strings.Cut(where, "@")
	if !hasUser {
		user, host = "git", where
	}
	switch {
	case !ok || strings.Contains(where, "/"):
		return invalid("it is neither a URL nor an absolute path")
	case strings.HasPrefix(path, ":"):
		return invalid("the transports of git that run a program are not supported")
	case !isWord(user):
		return invalid("its user is no plain name")
	case !isHost(host):
		return invalid("its host is no host name")
	case strings.ContainsAny(path, "@:"):
		return invalid("its path holds @ or :; a password cannot be given there")
	case strings.Trim(path, "/") == "" || path[0] == '-' || strings.HasPrefix(path, "/-"):
		return invalid("its path is no path")
	}
	return RemoteURL{text: s, scheme: "ssh", host: host}, nil
}

// String is the URL.
func (u RemoteURL) String() string { return u.text }

// Local reports whether the repository is a directory of this machine.
func (u RemoteURL) Local() bool { return u.scheme == "file" }

// notURLChar refuses what a shell at the other end could stumble over, besides
// what no URL holds. Square brackets stand around an IPv6 address.
func notURLChar(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\\\"'`(){}<>|&;$*!^", r)
}

// isWord accepts the names of users: nothing that ssh could take for an option.
func isWord(s string) bool {
	return s != "" && s[0] != '-' && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return !isAlnum(r) && !strings.ContainsRune("._-", r)
	})
}

func isHost(s string) bool {
	if strings.Contains(s, ":") { // an IPv6 address, which url.Parse took out of its brackets
		return !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF:.", r) })
	}
	return isWord(s) && s[0] != '.' && len(s) <= 253
}

func isAlnum(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// withoutUserinfo is a URL for a message: what stands before an @ may be a
// password, and what stands behind a ? a token.
func withoutUserinfo(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "", s
	} else {
		scheme += "://"
	}
	if i := strings.LastIndex(rest, "@"); i >= 0 && (ok || strings.Contains(rest[:i], ":")) { // git@host is no secret
		rest = "…@" + rest[i+1:]
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i] + "…"
	}
	return prompt.Clip(scheme+rest, 120)
}

// Page is where a browser finds the repository: its host, without a port that
// is not the browser's, and its path there, without .git. ok is false for a
// directory of this machine.
func (u RemoteURL) Page() (host, path string, ok bool) {
	switch {
	case u.Local() || u.text == "":
		return "", "", false
	case strings.Contains(u.text, "://"):
		parsed, err := url.Parse(u.text)
		if err != nil {
			return "", "", false
		}
		if host, path = parsed.Hostname(), parsed.Path; u.scheme == "https" {
			host = parsed.Host
		}
	default:
		_, path, _ = strings.Cut(u.text, ":")
		host = u.host
	}
	return host, strings.TrimSuffix(strings.Trim(path, "/"), ".git"), true
}
