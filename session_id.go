package bearer

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// minSessionID is what an application's own session id must have at least: 128
// bits that nobody guesses.
const minSessionID = 16

// newSessionID returns an id of 256 random bits.
func newSessionID() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// customerKey is where a customer's record is. The storage never learns the id.
func (f *Storefront) customerKey(id string) string {
	sum := sha256.Sum256([]byte(id))
	return f.opts.Key + "-" + hex.EncodeToString(sum[:])
}

// idCookie is the cookie of a session id. After the id it has the day it was set,
// so that it can be set again while it is used.
type idCookie struct {
	name     string
	insecure bool
}

func newIDCookie(name string, insecure bool) idCookie {
	if name == "" {
		name = "session"
	}
	if !insecure {
		name = "__Host-" + name
	}
	return idCookie{name, insecure}
}

// read returns the id and the day in the cookies of a request. What has not our form,
// or comes twice, counts as none.
func (c idCookie) read(lines []string) (id string, day int) {
	r := http.Request{Header: http.Header{"Cookie": lines}}
	cookies := r.CookiesNamed(c.name)
	if len(cookies) != 1 {
		return "", 0
	}
	id, text, ok := strings.Cut(cookies[0].Value, ".")
	if !ok || len(text) > 6 {
		return "", 0
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(id)
	if err != nil || len(b) != 32 {
		return "", 0
	}
	if day, err = strconv.Atoi(text); err != nil || day < 0 || strconv.Itoa(day) != text {
		return "", 0
	}
	return id, day
}

// write sets the cookie, for as long as the browser runs if maxAge is 0.
func (c idCookie) write(w http.ResponseWriter, id string, maxAge time.Duration) {
	http.SetCookie(w, c.cookie(id+"."+strconv.Itoa(today()), int(maxAge/time.Second)))
}

func (c idCookie) remove(w http.ResponseWriter) { http.SetCookie(w, c.cookie("", -1)) }

func (c idCookie) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: c.name, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: !c.insecure, SameSite: http.SameSiteLaxMode,
	}
}

// today is the number of days since 1970.
func today() int { return int(time.Now().Unix() / (24 * 3600)) }
