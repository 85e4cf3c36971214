package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// handed is the code of the command line: who signed in, for whom only the
// command line that began can show the verifier. It is sealed, not kept, so any
// replica redeems it.
//
// Once only: a replica refuses a code that it has redeemed. Another replica
// would take it again within codeAge, but only with the verifier, which never
// left the command line but in the request that redeems.
type handed struct {
	Who       identity
	Challenge string
}

// handOver sends the browser to the command line's listener with a code.
func (s *SignIn) handOver(w http.ResponseWriter, r *http.Request, st started, who identity) {
	code, err := s.sealer.seal(forCLI, handed{who, st.Challenge}, codeAge)
	if err != nil {
		s.config.Fail(w, r, err)
		return
	}
	to := url.URL{
		Scheme: "http", Host: "127.0.0.1:" + strconv.Itoa(st.Port), Path: "/",
		RawQuery: url.Values{"code": {code}, "state": {st.Challenge}}.Encode(),
	}
	http.Redirect(w, r, to.String(), http.StatusFound)
}

// tokenRequest and tokenAnswer are the two sides of Token.
type tokenRequest struct {
	Code     string `json:"code"`
	Verifier string `json:"verifier"`
}

type tokenAnswer struct {
	Key       string    `json:"key"`
	Name      string    `json:"name"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Token gives the command line its key in exchange for a code and the verifier
// of the challenge that it began with.
func (s *SignIn) Token(w http.ResponseWriter, r *http.Request) {
	private(w)
	var req tokenRequest
	if err := readJSON(w, r, map[string]*string{"code": &req.Code, "verifier": &req.Verifier}); err != nil {
		s.config.Fail(w, r, err)
		return
	}
	var h handed
	if !s.sealer.open(forCLI, req.Code, &h) || subtle.ConstantTimeCompare([]byte(challenge(req.Verifier)), []byte(h.Challenge)) != 1 {
		s.config.Fail(w, r, again("the code is not valid, or older than a minute"))
		return
	}
	once := sha256.Sum256([]byte(req.Code))
	if _, used := s.redeemed.getOr(once, func() struct{} { return struct{}{} }); used {
		s.config.Fail(w, r, again("the code was used already"))
		return
	}
	made, err := s.establishSession(r.Context(), w, proof{way: byCLI, who: h.Who})
	if err != nil {
		s.redeemed.drop(once)
		s.config.Fail(w, r, err)
		return
	}
	writeJSON(w, tokenAnswer{Key: made.key.Reveal(), Name: h.Who.Mail, ExpiresAt: made.until})
}

// challenge is the S256 challenge of a verifier (RFC 7636).
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
