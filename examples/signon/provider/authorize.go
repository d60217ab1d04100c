package provider

import (
	"crypto/rand"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// grant is what a code stands for.
type grant struct {
	user    User
	request *request
	expires time.Time
}

// request is an authentication request (OpenID Connect Core §3.1.2.1).
type request struct {
	ClientID     string
	RedirectURI  string
	ResponseType string
	Scope        string
	State        string
	Nonce        string
	Challenge    string
	Method       string
}

// parse reads a request. An answer goes to its redirect_uri only if known is true;
// failed is the error code to answer then, if there is one.
func (p *Provider) parse(form url.Values) (q *request, known bool, failed string) {
	q = &request{
		ClientID: form.Get("client_id"), RedirectURI: form.Get("redirect_uri"), ResponseType: form.Get("response_type"), Scope: form.Get("scope"),
		State: form.Get("state"), Nonce: form.Get("nonce"), Challenge: form.Get("code_challenge"), Method: form.Get("code_challenge_method"),
	}
	known = q.ClientID == p.client.ID && q.RedirectURI == p.client.RedirectURI
	for _, values := range form {
		if len(values) > 1 { // RFC 6749 §3.1
			return q, known, "invalid_request"
		}
	}
	switch {
	case q.ResponseType != "code":
		failed = "unsupported_response_type"
	case !slices.Contains(strings.Fields(q.Scope), "openid"):
		failed = "invalid_scope"
	case q.Method != "S256" || len(q.Challenge) != 43: // RFC 7636 §4.2
		failed = "invalid_request"
	}
	return q, known, failed
}

//go:embed users.html
var usersHTML string

var usersPage = template.Must(template.New("").Parse(usersHTML))

// showUsers asks who it is.
func (p *Provider) showUsers(w http.ResponseWriter, r *http.Request) {
	q, known, failed := p.parse(r.URL.Query())
	switch {
	case !known:
		refuseRequest(w)
		return
	case failed != "":
		p.goBack(w, r, q, url.Values{"error": {failed}})
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	usersPage.Execute(w, struct {
		*request
		Users []User
	}{q, p.users})
}

// chooseUser sends whoever was chosen back to the client, with a code.
func (p *Provider) chooseUser(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "This form cannot be read.", http.StatusBadRequest)
		return
	}
	q, known, failed := p.parse(r.PostForm)
	at := slices.IndexFunc(p.users, func(u User) bool { return u.Subject == r.PostForm.Get("user") })
	switch {
	case !known:
		refuseRequest(w)
	case failed != "":
		p.goBack(w, r, q, url.Values{"error": {failed}})
	case at < 0:
		p.goBack(w, r, q, url.Values{"error": {"access_denied"}})
	default:
		p.goBack(w, r, q, url.Values{"code": {p.grant(p.users[at], q)}})
	}
}

// grant makes a code.
func (p *Provider) grant(u User, q *request) string {
	code, now := rand.Text(), time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for old, g := range p.grants {
		if !now.Before(g.expires) {
			delete(p.grants, old)
		}
	}
	p.grants[code] = &grant{u, q, now.Add(codeLife)}
	return code
}

// spend returns what a code stands for, once; nil if for nothing.
func (p *Provider) spend(code string) *grant {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.grants[code]
	delete(p.grants, code)
	if g == nil || !time.Now().Before(g.expires) {
		return nil
	}
	return g
}

// goBack sends the user back to the client (RFC 6749 §4.1.2, RFC 9207).
func (p *Provider) goBack(w http.ResponseWriter, r *http.Request, q *request, answer url.Values) {
	answer.Set("iss", p.issuer)
	if q.State != "" {
		answer.Set("state", q.State)
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, q.RedirectURI+"?"+answer.Encode(), http.StatusSeeOther)
}

// refuseRequest is for a request of nobody known, who gets no redirect (RFC 6749
// §4.1.2.1).
func refuseRequest(w http.ResponseWriter) {
	http.Error(w, "No program that is known here has sent you.", http.StatusBadRequest)
}
