package auth

import (
	"bytes"
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const patience = 5 * time.Minute // with a person in a browser

// LoginConfig is what LoginFlow needs. All but HTTPClient
// are required.
type LoginConfig struct {
	Server      string // https, or http on the loopback
	OpenBrowser func(url string) error
	HTTPClient  *http.Client // asks the server
	Random      io.Reader    // crypto/rand.Reader
}

// A Login is what the command line keeps after signing in.
type Login struct {
	Key       Secret
	Name      string // the mail address
	ExpiresAt time.Time
}

// LoginFlow signs the command line in through the browser of its user. It
// listens on the loopback until the browser comes back with a code, exchanges
// the code and returns the key. It ends with ctx, and after five minutes with
// registry.ErrUnavailable. On return nothing listens anymore.
func LoginFlow(ctx context.Context, c LoginConfig) (Login, error) {
	server, err := ownURL(c.Server)
	if err != nil {
		return Login{}, err
	}
	verifier, err := randomText(c.Random)
	if err != nil {
		return Login{}, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return Login{}, registry.WithFix(registry.Errorf(registry.ErrUnavailable, "cannot listen for the browser: %v", err), "sign in with a key instead")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience,
		registry.WithFix(registry.Errorf(registry.ErrUnavailable, "nobody signed in within five minutes"), "run incipit login again"))
	defer cancel()
	code, err := waitForCode(ctx, listener, challenge(verifier), func(port int) error {
		q := url.Values{"cli": {strconv.Itoa(port)}, "challenge": {challenge(verifier)}}
		return c.OpenBrowser(server.String() + LoginPath + "?" + q.Encode())
	})
	if err != nil {
		return Login{}, err
	}
	return redeem(ctx, c.HTTPClient, server.String(), tokenRequest{code, verifier})
}

// waitForCode serves listener until a request brings a code with our state, and
// closes it. Other programs and pages can send requests here too: they are
// turned away, and the wait goes on.
func waitForCode(ctx context.Context, listener net.Listener, state string, begin func(port int) error) (string, error) {
	codes := make(chan string, 1)
	srv := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		MaxHeaderBytes:    16 << 10,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			private(w)
			q := r.URL.Query()
			if r.Method != http.MethodGet || r.URL.Path != "/" || q.Get("code") == "" ||
				subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1 {
				http.Error(w, "this is not the answer to a sign-in of this program", http.StatusBadRequest)
				return
			}
			select {
			case codes <- q.Get("code"):
			default: // the browser asked twice
			}
			fmt.Fprintln(w, "You can close this page and go back to the terminal.")
		}),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return // the wait below ends with ctx
		}
	}()
	defer func() {
		soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if srv.Shutdown(soon) != nil { // the page did not get through in time
			_ = srv.Close()
		}
		<-done
	}()
	addr, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return "", errors.New("the listener has no port")
	}
	if err := begin(addr.Port); err != nil {
		return "", err
	}
	select {
	case code := <-codes:
		return code, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// redeem exchanges the code at the server. The answer is a secret: nothing of
// it gets into an error but the sentence of a refusal.
func redeem(ctx context.Context, c *http.Client, server string, t tokenRequest) (Login, error) {
	body, err := json.Marshal(t)
	if err != nil {
		return Login{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+TokenPath, bytes.NewReader(body))
	if err != nil {
		return Login{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	own := http.Client{}
	if c != nil {
		own = *c
	}
	own.Timeout = cmp.Or(own.Timeout, outboundTimeout)
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := own.Do(req)
	if err != nil {
		return Login{}, registry.WithFix(registry.Errorf(registry.ErrUnavailable, "the server cannot be reached: %v", err), "run incipit login again")
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return Login{}, registry.Errorf(registry.ErrUnavailable, "the server's answer broke off")
	}
	if resp.StatusCode != http.StatusOK {
		return Login{}, refusal(resp.StatusCode, answer)
	}
	var a tokenAnswer
	if json.Unmarshal(answer, &a) != nil {
		return Login{}, registry.Errorf(registry.ErrUnavailable, "the server's answer is not that of an incipit server")
	}
	_, key, err := Parse(a.Key)
	return Login{key, prompt.Clip(a.Name, maxMail), a.ExpiresAt}, err
}

// refusal is the error in a server's answer.
func refusal(status int, answer []byte) error {
	var said struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(answer, &said) != nil || said.Detail == "" {
		said.Detail = fmt.Sprintf("it answered with status %d", status)
	}
	kind := registry.ErrUnavailable
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		kind = ErrUnauthenticated
	}
	return registry.WithFix(registry.Errorf(kind, "the server refused the sign-in: %s", prompt.Clip(said.Detail, 300)), "run incipit login again")
}
