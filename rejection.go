package bearer

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
)

// TokenRejected is the default of Transport's Rejected: it reports whether an
// answer is a 401 about the token itself. It is if
//
//   - WWW-Authenticate has a Bearer challenge with error="invalid_token" (RFC 6750
//     §3.1), or else
//   - the body is JSON with the code INVALID_TOKEN (in either case; in "code" or
//     "error", at the top, below "error", or below "errors", an object or a list), or
//   - neither tells a reason.
//
// A 401 for another reason, such as a missing permission, is not: neither a
// Bearer challenge with another error, nor one of another scheme alone, nor a
// JSON body with another code. A new token would not help there.
//
// It reads the body only if the challenge does not decide. Transport sees to it
// that this takes no longer than a second and that the caller still gets it; who
// calls TokenRejected with an answer of net/http has to see to that.
func TokenRejected(resp *http.Response) bool {
	if resp.StatusCode != http.StatusUnauthorized {
		return false
	}
	switch reasonInChallenge(resp.Header) {
	case reasonToken:
		return true
	case reasonOther:
		return false
	}
	return reasonInBody(resp) != reasonOther
}

// reason is what an answer gives for itself.
type reason int

const (
	reasonNone reason = iota
	reasonToken
	reasonOther
)

func reasonInChallenge(h http.Header) reason {
	found := reasonNone
	bearer := false
	challenges := parseChallenges(h["Www-Authenticate"])
	for _, c := range challenges {
		if c.scheme != "bearer" {
			continue
		}
		bearer = true
		switch c.params["error"] {
		case "":
		case "invalid_token":
			return reasonToken
		default:
			found = reasonOther
		}
	}
	if len(challenges) > 0 && !bearer {
		return reasonOther
	}
	return found
}

func reasonInBody(resp *http.Response) reason {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.Body == nil || kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return reasonNone
	}
	body := io.Reader(resp.Body)
	if strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") { // the caller asked for it, so that net/http left it
		z, err := gzip.NewReader(body)
		if err != nil {
			return reasonNone
		}
		body = z
	}
	data, err := io.ReadAll(io.LimitReader(body, peekLimit))
	if err != nil {
		return reasonNone
	}
	return reasonInJSON(data)
}

// reasonInJSON looks for a code where APIs put one. A code that is a number says
// no more than the status.
func reasonInJSON(data []byte) reason {
	type detail struct {
		Code any `json:"code"`
	}
	var doc struct {
		detail
		Error  any             `json:"error"`
		Errors json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(data, &doc) != nil {
		return reasonNone
	}
	codes := []any{doc.Code}
	switch e := doc.Error.(type) {
	case map[string]any:
		codes = append(codes, e["code"])
	case string:
		if strings.Contains(e, "_") { // else a phrase: frameworks repeat the status' text there
			codes = append(codes, e)
		}
	}
	var list []detail
	var one detail
	if bytes.HasPrefix(doc.Errors, []byte("[")) {
		json.Unmarshal(doc.Errors, &list) // what is not an object stays empty
	} else if json.Unmarshal(doc.Errors, &one) == nil {
		list = append(list, one)
	}
	for _, d := range list {
		codes = append(codes, d.Code)
	}

	found := reasonNone
	for _, c := range codes {
		switch code, _ := c.(string); {
		case strings.EqualFold(code, "INVALID_TOKEN"):
			return reasonToken
		case strings.ContainsAny(code, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"):
			found = reasonOther
		}
	}
	return found
}
