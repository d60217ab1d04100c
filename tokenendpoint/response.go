package tokenendpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// maxLife bounds what expires_in can say. It keeps an expiry within what times
// and their encodings can hold.
const maxLife = 100 * 365 * 24 * time.Hour

var bom = []byte("\xef\xbb\xbf")

// Response is a token and what came with it. It is safe to print: the token
// does not show. (The token itself is not: it is oauth2's.)
type Response struct {
	// Token is the answer; its Extra method gives every member of it. Its Expiry
	// is SentAt plus ExpiresIn; it is zero if the answer has no expires_in, and
	// SentAt itself if that is zero or negative: such a token is good for one use.
	// A refresh_token grant answered without a refresh token keeps the one that
	// it sent (RFC 6749 §6).
	Token *oauth2.Token `json:"-"`
	// ExpiresIn is the life of the token as answered, 0 if absent or negative,
	// at most 100 years.
	ExpiresIn time.Duration
	// Scope is the scope as answered. Empty: the requested one (RFC 6749 §5.1).
	Scope string
	// SentAt is the local time just before the request that was answered, less
	// its monotonic part.
	SentAt time.Time
	// ServerDate is the answer's Date header, or zero.
	ServerDate time.Time
}

// String tells the life of the token.
func (r Response) String() string {
	return fmt.Sprintf("tokenendpoint.Response{ExpiresIn: %s}", r.ExpiresIn)
}

// Format prints what String returns, whatever the verb: with %s, fmt would follow
// the pointer to the token.
func (r Response) Format(s fmt.State, _ rune) { io.WriteString(s, r.String()) }

// LogValue is what String returns.
func (r Response) LogValue() slog.Value { return slog.StringValue(r.String()) }

// parseResponse reads a successful answer (RFC 6749 §5.1). The problem is empty,
// or what is wrong with it in words of our own.
func parseResponse(body []byte, sent time.Time) (r *Response, problem string) {
	var members map[string]json.RawMessage
	if json.Unmarshal(bytes.TrimPrefix(body, bom), &members) != nil || members == nil {
		return nil, "the answer is not a JSON object"
	}
	// Each member on its own, so that one which Go cannot hold (1e999) does not
	// take the others with it.
	extra := make(map[string]any, len(members))
	for name, raw := range members {
		var v any
		if json.Unmarshal(raw, &v) == nil {
			extra[name] = v
		}
	}
	text := map[string]string{}
	for _, name := range [...]string{"access_token", "token_type", "refresh_token"} {
		s, isText := extra[name].(string)
		if !isText && extra[name] != nil {
			return nil, "the answer's " + name + " is not a string"
		}
		text[name] = s
	}
	if text["access_token"] == "" {
		return nil, "the answer has no access_token"
	}
	if strings.ContainsFunc(text["access_token"]+text["token_type"], func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return nil, "the answer's token holds characters that no header can carry"
	}
	life, given, ok := parseExpiresIn(members["expires_in"])
	if !ok {
		return nil, "the answer's expires_in is not a number"
	}

	r = &Response{ExpiresIn: life, SentAt: sent.Round(0)}
	r.Scope, _ = extra["scope"].(string)
	t := &oauth2.Token{
		AccessToken:  text["access_token"],
		TokenType:    text["token_type"],
		RefreshToken: text["refresh_token"],
		ExpiresIn:    int64(life / time.Second),
	}
	if given {
		t.Expiry = r.SentAt.Add(life)
	}
	r.Token = t.WithExtra(extra)
	return r, ""
}

// parseExpiresIn reads seconds: a number, or a string that holds one, as some
// servers have it. It is never negative and at most maxLife.
func parseExpiresIn(raw json.RawMessage) (life time.Duration, given, ok bool) {
	s := string(raw)
	if s == "" || s == "null" {
		return 0, false, true
	}
	if strings.HasPrefix(s, `"`) {
		if json.Unmarshal(raw, &s) != nil {
			return 0, false, false
		}
		s = strings.TrimSpace(s)
	}
	// ParseFloat alone would take "Inf", "0x1p9" and "1_000".
	if s == "" || strings.Trim(s, "+-.0123456789eE") != "" {
		return 0, false, false
	}
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(seconds, 0) {
		return 0, false, false
	}
	seconds = min(max(seconds, 0), maxLife.Seconds())
	return time.Duration(seconds * float64(time.Second)), true, true
}
