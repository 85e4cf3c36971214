package gitrepo

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A Remote is a repository elsewhere, and how a server reaches it.
type Remote struct {
	URL RemoteURL

	// Branch is the one that is read and pushed to; "" is the remote's own
	// default branch.
	Branch string

	// Token is asked before each command that talks to an https remote, so that
	// it may change while the server runs; nil if it needs none. User is the
	// name that goes with it; "" suits GitHub, GitLab and Gitea.
	Token func() (string, error)
	User  string

	// Timeout bounds each command that talks to the remote; 0 is 10 minutes.
	Timeout time.Duration

	// Notify is told of what a killed git left and was removed; may be nil.
	Notify func(string)
}

func (rem *Remote) timeout() time.Duration {
	if rem.Timeout > 0 {
		return rem.Timeout
	}
	return 10 * time.Minute
}

// apart is the configuration of a server's own clone: what the repository or
// its remote say runs nothing, and nothing is ever checked out.
func apart() []string {
	var out []string
	for _, kv := range []string{
		"core.hooksPath=/dev/null", "core.attributesFile=/dev/null", "core.symlinks=false", "core.askPass=", "credential.helper=",
		"submodule.recurse=false", "fetch.recurseSubmodules=false", "gc.autoDetach=false",
		"protocol.allow=never", "http.followRedirects=false", "http.lowSpeedLimit=1", "http.lowSpeedTime=60",
		"transfer.credentialsInUrl=die", "transfer.bundleURI=false",
		// Old commits have such dates and modes in many an honest repository.
		"transfer.fsckObjects=true", "fetch.fsck.zeroPaddedFilemode=ignore", "fetch.fsck.badTimezone=ignore", "fetch.fsck.missingSpaceBeforeDate=ignore",
	} {
		out = append(out, "-c", kv)
	}
	return out
}

// environmentApart is ours without what configures git, but for how ssh is
// started and which certificates are trusted, which an operator may set.
func (r *Repo) environmentApart() []string {
	keep := []string{"GIT_SSH", "GIT_EXEC_PATH=", "GIT_SSL_CA", "GIT_SSL_CERT", "GIT_SSL_KEY=", "GIT_PROXY_SSL_"}
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "INCIPIT_") || strings.HasPrefix(kv, "SSH_ASKPASS") || strings.HasPrefix(kv, "GIT_") &&
			!slices.ContainsFunc(keep, func(p string) bool { return strings.HasPrefix(kv, p) })
	})
	env = append(env, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ATTR_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=",
		"GIT_PROTOCOL_FROM_USER=0", "GIT_NO_LAZY_FETCH=1", "GIT_NO_REPLACE_OBJECTS=1", "GIT_PAGER=cat", "LC_ALL=C")
	if r.GitDir != "" {
		env = append(env, "GIT_DIR="+r.GitDir) // and never a repository further up
	}
	if !slices.ContainsFunc(env, func(kv string) bool {
		return strings.HasPrefix(kv, "GIT_SSH_COMMAND=") || strings.HasPrefix(kv, "GIT_SSH=")
	}) {
		// A connection that is kept for others would keep our lock, too.
		env = append(env, "GIT_SSH_COMMAND=ssh -oBatchMode=yes -oStrictHostKeyChecking=yes -oControlMaster=no")
	}
	return env
}

// talk runs a command that talks to the remote.
func (r *Repo) talk(ctx context.Context, args ...string) ([]byte, error) {
	rem := r.remote
	late := registry.WithFix(registry.Errorf(registry.ErrUnavailable, "git %s was not done after %s with %s", args[0], rem.timeout(), rem.URL),
		"look at the network and at the size of the repository; it is tried again")
	ctx, cancel := context.WithTimeoutCause(ctx, rem.timeout(), late)
	defer cancel()
	cmd, err := r.command(ctx, args...)
	if err != nil {
		return nil, err
	}
	settings, secrets, err := rem.settings()
	if err != nil {
		return nil, err
	}
	// In the environment, since arguments are seen by everyone on the machine.
	cmd.Env = append(cmd.Env, fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(settings)))
	for i, kv := range settings {
		cmd.Env = append(cmd.Env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, kv[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, kv[1]))
	}
	endTogether(cmd)
	cmd.WaitDelay = 5 * time.Second
	stderr := &tail{limit: 16 << 10}
	cmd.Stderr = stderr
	out, err := wait(ctx, cmd, nil, args, stderr)
	if failed, ok := errors.AsType[*CommandError](err); ok {
		for _, s := range secrets {
			failed.Stderr = strings.ReplaceAll(failed.Stderr, s, "…")
		}
	}
	return out, err
}

// settings is the configuration of one command, and what of it is secret.
func (rem *Remote) settings() (settings [][2]string, secrets []string, err error) {
	settings = [][2]string{{"protocol." + rem.URL.scheme + ".allow", "always"}}
	if rem.Token == nil || rem.URL.scheme != "https" {
		return settings, nil, nil
	}
	token, err := rem.Token()
	if err != nil || token == "" {
		return settings, nil, err
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, nil, registry.WithFix(errors.New("the token for the repository holds a space or a line break"), "write the token alone into INCIPIT_GIT_TOKEN")
	}
	user := rem.User
	if user == "" {
		user = "x-access-token"
	}
	basic := base64.StdEncoding.EncodeToString([]byte(user + ":" + token))
	// For this host alone, whatever else git comes to ask.
	settings = append(settings, [2]string{"http.https://" + rem.URL.host + "/.extraHeader", "Authorization: Basic " + basic})
	return settings, []string{basic, token}, nil
}

// A tail keeps the end of what is written: a remote may say more than fits.
type tail struct {
	bytes.Buffer
	limit int
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if over := t.Len() + n - t.limit; over > 0 {
		t.Next(over)
		p = p[max(0, n-t.limit):]
	}
	if _, err := t.Buffer.Write(p); err != nil {
		return 0, err
	}
	return n, nil
}
