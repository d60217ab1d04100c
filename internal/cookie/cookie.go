// Package cookie reads and writes cookies as they stand in the header (RFC 6265
// §4), also such whose names or values net/http would drop or change.
package cookie

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxHeader bounds the cookies of a request, in bytes. A visitor can send up to
	// http.Server's MaxHeaderBytes, all of which would be searched. It is well above the
	// 12 KiB that a sign-in leaves behind at most, since the site's other cookies may
	// become more after that.
	MaxHeader = 32 << 10

	// Max is the longest cookie that browsers are sure to keep, in bytes: with its
	// name and, for older ones, its attributes.
	Max = 4096
)

var (
	errHeader = errors.New("the request's cookies are longer than 32 KiB together")
	errTwice  = errors.New("the cookie is there twice, and nobody knows which one is meant")
	errMaxAge = errors.New("the cookie's maxAge is negative: pass a nil record to remove it")
)

// Find returns the value of the one cookie in h whose name is wanted, without the
// spaces around it, and whether there is one. What has no "=" is no cookie.
func Find(h http.Header, wanted func(name string) bool) (value string, found bool, err error) {
	size := 0
	for _, line := range h["Cookie"] {
		size += len(line)
	}
	if size > MaxHeader {
		return "", false, errHeader
	}
	for _, line := range h["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, v, ok := strings.Cut(pair, "=")
			if !ok || !wanted(strings.Trim(name, " \t")) {
				continue
			}
			if found {
				return "", false, errTwice
			}
			value, found = strings.Trim(v, " \t"), true
		}
	}
	return value, found, nil
}

// Set puts a cookie into h that lasts for maxAge, and if that is 0 as long as the
// browser runs, in place of one of that name set before. Name and value must have
// no characters that mean something there; attributes come after Path=/, and
// begin with "; " or are empty. After an error h is as it was.
func Set(h http.Header, name, value string, maxAge time.Duration, attributes string) error {
	switch {
	case maxAge < 0:
		return errMaxAge
	case maxAge > 0: // in whole seconds, and 0 of them would remove it
		attributes = "; Max-Age=" + strconv.FormatInt(int64((maxAge-1)/time.Second)+1, 10) + attributes
	}
	line := name + "=" + value + "; Path=/" + attributes
	if len(line) > Max {
		return fmt.Errorf("the record makes a cookie of %d bytes, and browsers keep no more than %d: keep customers in a Storage instead", len(line), Max)
	}
	put(h, name, line)
	return nil
}

// Remove is [Set] for a cookie that the browser is to forget.
func Remove(h http.Header, name, value, attributes string) {
	put(h, name, name+"="+value+"; Path=/; Max-Age=0"+attributes)
}

// put leaves other lines, and the slice that holds them, as they are.
func put(h http.Header, name, line string) {
	lines := make([]string, 0, len(h["Set-Cookie"])+1)
	for _, other := range h["Set-Cookie"] {
		if !strings.HasPrefix(other, name+"=") {
			lines = append(lines, other)
		}
	}
	h["Set-Cookie"] = append(lines, line)
}
