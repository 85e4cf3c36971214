package cli

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func loginCommand(e *env) *cobra.Command {
	var withKey bool
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Sign in to the server",
		Long: "login opens the browser, where the server's identity provider says who you are,\n" +
			"and keeps a key of twelve hours. --with-key reads an API key from standard input\n" +
			"and keeps that instead.",
		Example: examples("incipit login --server https://incipit.example.com", "incipit login --with-key < key.txt"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runLogin(cmd.Context(), e, withKey) },
	}
	cmd.Flags().BoolVar(&withKey, "with-key", false, "read a key from standard input")
	return cmd
}

func logoutCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:     "logout",
		Short:   "Forget the key of the server",
		Example: examples("incipit logout", "incipit logout --server https://incipit.example.com"),
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			server, err := e.serverAddress(cmd.Context())
			if err != nil {
				return err
			}
			return runLogout(cmd.Context(), e, server)
		},
	}
}

// runLogout ends the session at the server, if it is one, and forgets the key.
func runLogout(ctx context.Context, e *env, server string) error {
	kept, err := e.credentials()
	if err != nil {
		return err
	}
	if key := kept[strings.TrimSuffix(server, "/")]; strings.HasPrefix(key, "incipit_"+auth.Person+"_") {
		client, err := api.NewClient(api.ClientConfig{Server: server, Key: key})
		if err == nil {
			err = client.Send(ctx, http.MethodDelete, "/v1/me", nil, nil)
		}
		if err != nil {
			e.talk("the session could not be ended at the server: %v. It ends by itself within %s", err, auth.SessionAge)
		}
	}
	return e.keep(server, "")
}

// serverAddress is the server that is meant, which there must be.
func (e *env) serverAddress(ctx context.Context) (string, error) {
	if e.server != "" && e.server != nearby {
		return e.server, nil
	}
	if ws, err := e.workspace(ctx); e.server == "" && err == nil && ws.Config.Server != "" {
		return ws.Config.Server, nil
	}
	return "", registry.WithFix(registry.Errorf(prompt.ErrInvalid, "which server?"), "add --server URL, set INCIPIT_SERVER, or write server: URL into incipit.yaml")
}

// remoteOnly is the client of the server, for commands that have no meaning
// without one.
func (e *env) remoteOnly(ctx context.Context) (*api.Client, error) {
	if _, err := e.serverAddress(ctx); err != nil {
		return nil, err
	}
	return e.remote(ctx)
}

func runLogin(ctx context.Context, e *env, withKey bool) error {
	server, err := e.serverAddress(ctx)
	if err != nil {
		return err
	}
	var key string
	if withKey {
		line, err := bufio.NewReader(io.LimitReader(e.in, 4<<10)).ReadString('\n')
		if err != nil && line == "" {
			return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "there is no key on standard input"), "incipit login --with-key < key.txt")
		}
		key = strings.TrimSpace(line)
		if _, _, err := auth.Parse(key); err != nil {
			return err
		}
	} else {
		if err := signsIn(ctx, server); err != nil {
			return err
		}
		login, err := auth.LoginFlow(ctx, auth.LoginConfig{Server: server, OpenBrowser: e.showAddress, HTTPClient: http.DefaultClient, Random: rand.Reader})
		if err != nil {
			return err
		}
		key = login.Key.Reveal()
	}
	client, err := api.NewClient(api.ClientConfig{Server: server, Key: key})
	if err != nil {
		return err
	}
	var me registry.Caller
	if err := client.Get(ctx, "/v1/me", nil, &me); err != nil {
		return err
	}
	if err := e.keep(server, key); err != nil {
		return err
	}
	return e.emit(me, func(w io.Writer) { fmt.Fprintf(w, "signed in to %s as %s\n", server, prompt.Visible(me.Name)) })
}

// signsIn reports whether a server has an identity provider: without one the
// browser would end in nothing.
func signsIn(ctx context.Context, server string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(server, "/")+auth.LoginPath, nil)
	if err != nil {
		return err
	}
	alone := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := alone.Do(req)
	if err != nil {
		return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "%s does not answer: %v", server, err), "look whether the server runs: %s/healthz", server)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "%s has no identity provider to sign in at", server), "incipit login --with-key < key.txt keeps an API key instead")
	}
	return nil
}

// showAddress asks the person to open an address: no browser is started, since
// the one that is wanted may be on another machine.
func (e *env) showAddress(address string) error {
	fmt.Fprintf(e.stderr, "Open this in a browser, and sign in:\n\n  %s\n\n", address)
	return nil
}
