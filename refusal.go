package bearer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Refusal is why a request is not let through, for the handlers Denied and Failed of
// [MiddlewareOptions] and [RequireOptions]. Printed, it shows no secret.
type Refusal struct {
	Status int    // 400, 401, 403 or 503
	Code   string // that of RFC 6750 §3.1; empty if the request brought no token, and with 503
	Err    error  `json:"-"` // never nil; its text may hold secrets, and String describes it without
}

// String names status and code, and describes the error.
func (r Refusal) String() string {
	return fmt.Sprintf("bearer.Refusal(%d %q: %s)", r.Status, r.Code, describe(r.Err))
}

// Format prints what String returns, whatever the verb.
func (r Refusal) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// LogValue names status and code, and describes the error.
func (r Refusal) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("status", r.Status), slog.String("code", r.Code), slog.String("error", describe(r.Err)))
}

// The codes of RFC 6750 §3.1.
const (
	codeInvalidRequest    = "invalid_request"
	codeInvalidToken      = "invalid_token"
	codeInsufficientScope = "insufficient_scope"
)

type refusalKey struct{}

// RefusalFromContext returns why the request is not let through; ok is false unless
// ctx is that of a request which Denied or Failed answers.
func RefusalFromContext(ctx context.Context) (r *Refusal, ok bool) {
	r, ok = ctx.Value(refusalKey{}).(*Refusal)
	return r, ok
}

// unavailable refuses for want of knowledge.
func unavailable(err error) *Refusal {
	return &Refusal{Status: http.StatusServiceUnavailable, Err: err}
}

// words are the default answer's for one kind of refusal; tokens says that there is
// nothing to sign in to. The titles and codes are those of Commerce Layer's APIs.
type words struct{ title, code, text string }

func (r *Refusal) words(tokens bool) words {
	switch r.Status {
	case http.StatusBadRequest:
		return words{"Bad request", "BAD_REQUEST", "the Authorization header is not one bearer token"}
	case http.StatusForbidden:
		return words{"Forbidden", "FORBIDDEN", "you are not allowed to do this"}
	case http.StatusServiceUnavailable:
		return words{"Service unavailable", "SERVICE_UNAVAILABLE", "the service is not available right now, try again soon"}
	}
	switch {
	case r.Code != "":
		return words{"Invalid token", "INVALID_TOKEN", "the access token is not valid"}
	case tokens || r.Err == errNoBearer:
		return words{"Unauthorized", "UNAUTHORIZED", "send an access token in the Authorization header"}
	}
	return words{"Unauthorized", "UNAUTHORIZED", "sign in first"}
}

// description is what the client is told of the error, "" if nothing.
func (r *Refusal) description() string {
	if r.Status == http.StatusServiceUnavailable {
		return ""
	}
	return descriptionOf(r.Err)
}

// maxDescription bounds what an error has to say to the client, in bytes.
const maxDescription = 200

// descriptionOf is what an error wants the client to know, in the characters that
// error_description may have (RFC 6750 §3); "" if nothing.
func descriptionOf(err error) string {
	said := look(func() string {
		var own interface{ Description() string }
		if !errors.As(err, &own) {
			return ""
		}
		return own.Description()
	})
	var b strings.Builder
	for _, c := range said {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			continue
		}
		if b.WriteByte(byte(c)); b.Len() == maxDescription {
			break
		}
	}
	return strings.TrimSpace(b.String())
}

// challenge is the value of WWW-Authenticate (RFC 6750 §3), which has at least the
// realm: a scheme alone is none.
func (r *Refusal) challenge(realm string) string {
	text := `Bearer realm="` + realm + `"`
	if r.Code == "" {
		return text
	}
	text += `, error="` + r.Code + `"`
	if d := r.description(); d != "" {
		text += `, error_description="` + d + `"`
	}
	return text
}

// defaultRealm says little, and a challenge needs something.
const defaultRealm = "bearer"

// isRealm reports whether text can be quoted as it is.
func isRealm(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c == '"' || c == '\\' || unicode.IsControl(c) })
}

// refuse answers a request that is not let through. own are the handlers of who
// refuses it; token says whether the request brought one, good or not.
func (sh *shop) refuse(w http.ResponseWriter, r *http.Request, ref *Refusal, own RequireOptions, token bool) {
	keepFromCaches(w.Header()) // whoever is let through must not get this answer, though another middleware lets all be stored
	handler, other := own.Denied, sh.opts.Denied
	switch {
	case ref.Status == http.StatusServiceUnavailable:
		handler, other = own.Failed, sh.opts.Failed
		w.Header().Set("Retry-After", strconv.FormatInt(secondsUntilNextTry(ref.Err), 10))
	case sh.opts.Verifier != nil && (ref.Code != "" || ref.Status == http.StatusUnauthorized):
		addChallenge(w.Header(), ref.challenge(sh.opts.Realm))
	}
	if handler == nil {
		handler = other
	}
	switch {
	case handler != nil:
		handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), refusalKey{}, ref)))
	case wantsJSON(r.Header["Accept"], token || sh.tokens):
		ref.writeJSON(w, sh.tokens)
	default:
		forgetBody(w.Header())
		http.Error(w, ref.words(sh.tokens).text, ref.Status)
	}
}

// addChallenge adds one to those that a middleware further out has for its own scheme.
func addChallenge(h http.Header, challenge string) {
	if !slices.Contains(h["Www-Authenticate"], challenge) {
		h.Add("WWW-Authenticate", challenge)
	}
}

// forgetBody removes what somebody has set for another body than ours. Content-Encoding
// stays, as with http.Error: a middleware that compresses what is written sets it.
func forgetBody(h http.Header) {
	for _, field := range [...]string{"Content-Length", "ETag", "Last-Modified"} {
		h.Del(field)
	}
}

const jsonAPI = "application/vnd.api+json"

// writeJSON answers as Commerce Layer's APIs do, in the form of JSON:API.
func (r *Refusal) writeJSON(w http.ResponseWriter, tokens bool) {
	type object struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Code   string `json:"code"`
		Status string `json:"status"`
	}
	said := r.words(tokens)
	detail := r.description()
	if detail == "" {
		detail = strings.ToUpper(said.text[:1]) + said.text[1:] + "."
	}
	body, _ := json.Marshal(map[string][]object{"errors": {{said.title, detail, said.code, strconv.Itoa(r.Status)}}}) // strings alone
	h := w.Header()
	forgetBody(h)
	h.Set("Content-Type", jsonAPI)
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(r.Status)
	w.Write(body)
}

// maxAccept is how many media types wantsJSON looks at; strangers may send any number.
const maxAccept = 32

// wantsJSON reports whether the client is a program that reads JSON: it says so in
// Accept, or it has brought a token, or has to, and does not say that it is a browser.
func wantsJSON(accept []string, token bool) bool {
	html, n := false, 0
	for _, line := range accept {
		for one := range strings.SplitSeq(line, ",") {
			if n++; n > maxAccept {
				break
			}
			kind, params, _ := mime.ParseMediaType(one)                              // the kind also if only a parameter is wrong
			if q, err := strconv.ParseFloat(params["q"], 64); err == nil && q == 0 { // RFC 9110 §12.4.2: not acceptable
				continue
			}
			switch kind {
			case jsonAPI, "application/json":
				return true
			case "text/html":
				html = true
			}
		}
	}
	return token && !html
}

// secondsUntilNextTry is when a request makes sense again, at least a second.
func secondsUntilNextTry(err error) int64 {
	next, _ := nextTry(err)
	return max(1, 1+int64(time.Until(next)/time.Second))
}

// nextTry is the time that an error names which says nothing about the visitor; ok is
// false if err is no such error.
func nextTry(err error) (next time.Time, ok bool) {
	if e := as[*UnavailableError](err); e != nil {
		return e.NextTry, true
	}
	if e := as[*TokenError](err); e != nil {
		return e.NextTry, true
	}
	return time.Time{}, false
}

// isUnavailable reports whether err is an UnavailableError.
func isUnavailable(err error) bool { return as[*UnavailableError](err) != nil }
