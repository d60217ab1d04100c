package tokenendpoint

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"
)

// The grant types of RFC 6749 and RFC 7523, for [Grant.Type].
const (
	ClientCredentials = "client_credentials"
	Password          = "password"
	RefreshToken      = "refresh_token"
	AuthorizationCode = "authorization_code"
	JWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// Grant is one request for a token. It is safe to print: only the type shows.
type Grant struct {
	// Type is the grant_type. Required. Only [ClientCredentials] is sent again
	// when the server may have acted on it.
	Type string
	// Params holds the parameters of the grant: scope, username, code and so on.
	// Empty values are left out (RFC 6749 §3.2). A parameter with several values
	// is repeated in a form and a list in JSON.
	Params url.Values `json:"-"`
	// Header holds headers of this request, beside those of the Options. Their
	// values are treated as secrets.
	Header http.Header `json:"-"`
	// Public leaves the client secret out, as a public client does.
	Public bool
	// LimitKey tells apart requests that the server's rate limit counts apart,
	// for instance by the address of a shopper. A 429 pauses its own key.
	LimitKey string
}

// replayable reports whether the request may reach the server twice.
func (g Grant) replayable() bool { return g.Type == ClientCredentials }

func (g Grant) validate() error {
	if g.Type == "" {
		return errors.New("tokenendpoint: Grant.Type is empty: set the grant_type, such as ClientCredentials")
	}
	for _, name := range [...]string{"grant_type", "client_id", "client_secret"} {
		if g.Params.Has(name) {
			return fmt.Errorf("tokenendpoint: Grant.Params sets %s: use Grant.Type and the Options", name)
		}
	}
	return checkHeader("Grant.Header", g.Header)
}

// name is the grant's type if it is one of the well-known ones: it appears in
// errors and logs.
func (g Grant) name() string {
	switch g.Type {
	case ClientCredentials, Password, RefreshToken, AuthorizationCode:
		return g.Type
	case JWTBearer:
		return "jwt-bearer"
	}
	return "token"
}

// String names the grant's type.
func (g Grant) String() string { return "tokenendpoint.Grant{" + g.name() + "}" }

// Format prints what String returns, whatever the verb.
func (g Grant) Format(s fmt.State, _ rune) { io.WriteString(s, g.String()) }

// LogValue is what String returns.
func (g Grant) LogValue() slog.Value { return slog.StringValue(g.String()) }

// message is what one call sends, ready to be sent more than once.
type message struct {
	header  http.Header
	body    []byte
	secrets secrets
}

// message encodes params and authenticates the client.
func (o *Options) message(params url.Values, extra http.Header, public bool) (message, error) {
	h := o.Header.Clone()
	maps.Copy(h, canonical(extra))
	params = nonEmpty(params)
	s := newSecrets(params, h)

	h.Set("Accept", "application/json")
	if h.Get("User-Agent") == "" {
		h.Set("User-Agent", "bearer")
	}
	switch {
	case o.ClientSecret == "" || public:
		params.Set("client_id", o.ClientID)
	case o.AuthStyle == InHeader:
		basic := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(o.ClientID) + ":" + url.QueryEscape(o.ClientSecret)))
		h.Set("Authorization", "Basic "+basic)
		s = append(s, basic)
	default:
		params.Set("client_id", o.ClientID)
		params.Set("client_secret", o.ClientSecret)
	}
	if o.ClientSecret != "" {
		s = append(s, o.ClientSecret)
	}

	var body []byte
	var err error
	if o.Encoding == JSON {
		h.Set("Content-Type", "application/json")
		body, err = encodeJSON(params)
	} else {
		h.Set("Content-Type", "application/x-www-form-urlencoded")
		body = []byte(params.Encode())
	}
	return message{header: h, body: body, secrets: s}, err
}

func nonEmpty(params url.Values) url.Values {
	r := make(url.Values, len(params)+3)
	for name, values := range params {
		values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
		if len(values) > 0 {
			r[name] = values
		}
	}
	return r
}

func encodeJSON(params url.Values) ([]byte, error) {
	object := make(map[string]any, len(params))
	for name, values := range params {
		for _, v := range values {
			// json.Marshal would replace the bytes in silence, and send another password.
			if !utf8.ValidString(v) {
				return nil, fmt.Errorf("tokenendpoint: the parameter %q is not valid UTF-8, which JSON needs: encode it, or use Form", name)
			}
		}
		if len(values) == 1 {
			object[name] = values[0]
		} else {
			object[name] = values
		}
	}
	return json.Marshal(object)
}
