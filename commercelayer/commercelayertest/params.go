package commercelayertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
)

// maxBody is how much of a request's body is read.
const maxBody = 64 << 10

// params are the parameters of a request to the auth host. What is absent,
// null or empty is not there.
type params map[string]string

var errTooLarge = problem{
	status: http.StatusRequestEntityTooLarge, title: "invalid_request", code: "PAYLOAD_TOO_LARGE",
	detail: "The body is larger than 64 KiB.",
}

// readParams reads the body and who sent it, as far as that can be known.
func (c *call) readParams() {
	if c.r.Method != http.MethodPost {
		wrong := methodNotAllowed("POST")
		c.wrong = &wrong
		return
	}
	body, err := c.readBody()
	if err != nil {
		wrong := badRequest("invalid_request", "The body broke off.")
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			wrong = errTooLarge
		}
		c.wrong = &wrong
		return
	}
	var wrong *problem
	if c.params, wrong = parseParams(c.r.Header.Get("Content-Type"), body); wrong != nil {
		c.wrong = wrong
		return
	}
	c.grant = knownGrant(c.params["grant_type"])
}

// parseParams reads a body in either of the two forms that the service takes.
func parseParams(contentType string, body []byte) (params, *problem) {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if contentType == "" {
		mediaType, err = "application/x-www-form-urlencoded", nil
		if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
			mediaType = "application/json"
		}
	}
	switch {
	case err == nil && mediaType == "application/json":
		return parseJSON(body)
	case err == nil && mediaType == "application/x-www-form-urlencoded":
		return parseForm(body)
	}
	return nil, &problem{
		status: http.StatusUnsupportedMediaType, title: "invalid_request", code: "UNSUPPORTED_MEDIA_TYPE",
		detail: "Send application/json or application/x-www-form-urlencoded.",
	}
}

// known are the parameters that are read. All others may be anything.
var known = []string{
	"grant_type", "client_id", "client_secret", "scope", "username", "password",
	"refresh_token", "code", "redirect_uri", "assertion", "token",
}

func parseJSON(body []byte) (params, *problem) {
	var fields map[string]json.RawMessage
	// A map, because a struct would take "Grant_Type" for "grant_type".
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		wrong := badRequest("invalid_request", "The body is not a JSON object.")
		return nil, &wrong
	}
	p := params{}
	for _, name := range known {
		raw, ok := fields[name]
		if !ok {
			continue
		}
		var value *string
		if err := json.Unmarshal(raw, &value); err != nil {
			wrong := badRequest("invalid_request", "The field "+name+" is not a string.")
			return nil, &wrong
		}
		if value != nil && *value != "" {
			p[name] = *value
		}
	}
	return p, nil
}

func parseForm(body []byte) (params, *problem) {
	fields, err := url.ParseQuery(string(body))
	if err != nil {
		wrong := badRequest("invalid_request", "The body is not a form.")
		return nil, &wrong
	}
	p := params{}
	for _, name := range known {
		values := fields[name]
		if len(values) > 1 {
			wrong := badRequest("invalid_request", "The field "+name+" is there twice.")
			return nil, &wrong
		}
		if len(values) == 1 && values[0] != "" {
			p[name] = values[0]
		}
	}
	return p, nil
}

// credentials returns the client id and secret that the request carries, in
// its body or by HTTP Basic (RFC 6749 §2.3.1), and whether they contradict each
// other.
func (c *call) credentials() (id, secret string, ok bool) {
	id, secret = c.params["client_id"], c.params["client_secret"]
	user, pass, basic := c.r.BasicAuth()
	if !basic {
		return id, secret, true
	}
	user, pass = formDecoded(user), formDecoded(pass)
	if id != "" && id != user || secret != "" && secret != pass {
		return "", "", false
	}
	return user, pass, true
}

// formDecoded undoes the encoding that RFC 6749 asks for, where it was used.
func formDecoded(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return s
}

// client finds the application that the request comes from, and whether it
// proved itself with its secret.
func (c *call) client() (app *Application, confidential, ok bool) {
	id, secret, ok := c.credentials()
	if !ok {
		return nil, false, false
	}
	app = c.s.apps[id]
	if app == nil {
		return nil, false, false
	}
	c.app = app
	switch {
	case secret == "":
		return app, false, app.public()
	case app.ClientSecret == "" || !sameSecret(secret, app.ClientSecret):
		return nil, false, false
	}
	return app, true, true
}
