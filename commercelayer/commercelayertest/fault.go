package commercelayertest

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Drop says when a [Fault] breaks the connection.
type Drop string

// The moments at which a connection can break.
const (
	// DropNever keeps the connection.
	DropNever Drop = ""
	// DropBefore breaks the connection before the server has done anything.
	DropBefore Drop = "before"
	// DropAfter lets the server act and then loses the answer: tokens are
	// issued, a refresh token is spent, an order exists, and nobody is told.
	DropAfter Drop = "after"
	// DropWithin breaks off in the middle of the answer's body.
	DropWithin Drop = "within"
)

// Fault is something that goes wrong on demand. Requests meet the oldest fault
// that fits them, one at a time. The zero value fits every request and does
// nothing but pass for a fault in the request log.
//
// At most one of Status, Drop, Malformed, Body and Endless may be set; Delay
// goes with each.
type Fault struct {
	// Endpoint is the part of the server that fails. Default: all of it.
	Endpoint Endpoint
	// Grant narrows a fault of the token endpoint to one grant_type.
	Grant string
	// Times is how many requests fail. Default: all, until [Server.ClearFaults].
	// A client's own retries count: Go's http.Transport, for one, repeats a GET
	// whose connection broke.
	Times int

	// Delay is how long the request waits, its body read, before anything else
	// happens. If its client leaves in the meantime, or [Server.Close] is
	// called, nothing does.
	Delay time.Duration
	// Status is answered, with an error body, and the server does not act.
	Status int
	// RetryAfter goes with Status as the header of that name, in seconds,
	// rounded up. Default: no header.
	RetryAfter time.Duration
	// Drop breaks the connection.
	Drop Drop
	// Malformed lets the server act, and cuts its answer's JSON off in a place
	// where it is not valid; the HTTP message itself is in order.
	Malformed bool
	// Body is answered, with status 200 and as JSON, and the server does not
	// act.
	Body string
	// Endless answers 200 and a body that never ends, and the server does not
	// act. It is sent as fast as it is read, or one byte each Pace.
	Endless bool
	Pace    time.Duration
}

// Validate reports what is wrong with a fault, and the way out.
func (f Fault) Validate() error {
	switch f.Endpoint {
	case AnyEndpoint, TokenEndpoint, RevokeEndpoint, KeysEndpoint, AuthorizeEndpoint, APIEndpoint:
	default:
		return fmt.Errorf("commercelayertest: Fault.Endpoint %q: use token, revoke, keys, authorize, api, or nothing for all", f.Endpoint)
	}
	switch f.Drop {
	case DropNever, DropBefore, DropAfter, DropWithin:
	default:
		return fmt.Errorf("commercelayertest: Fault.Drop %q: use before, after or within", f.Drop)
	}
	if f.Grant != "" && knownGrant(f.Grant) == "" {
		return fmt.Errorf("commercelayertest: Fault.Grant is none of the five grant types: use one, such as %s", grantRefreshToken)
	}
	effects := 0
	for _, set := range []bool{f.Status != 0, f.Drop != DropNever, f.Malformed, f.Body != "", f.Endless} {
		if set {
			effects++
		}
	}
	switch {
	case effects > 1:
		return fmt.Errorf("commercelayertest: Fault has several effects: set one of Status, Drop, Malformed, Body and Endless")
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("commercelayertest: Fault.Status is %d: use 200 to 599", f.Status)
	case f.Times < 0:
		return fmt.Errorf("commercelayertest: Fault.Times is %d: use a number of requests, or 0 for all", f.Times)
	case f.Delay < 0 || f.RetryAfter < 0 || f.Pace < 0:
		return fmt.Errorf("commercelayertest: Fault.Delay, RetryAfter and Pace: use no negative durations")
	case f.RetryAfter > 0 && f.Status == 0:
		return fmt.Errorf("commercelayertest: Fault.RetryAfter without Status: set the status it comes with, such as 429")
	case f.Pace > 0 && !f.Endless:
		return fmt.Errorf("commercelayertest: Fault.Pace without Endless: set both")
	}
	return nil
}

// name says what the fault does, for the request log.
func (f Fault) name() string {
	var parts []string
	if f.Delay > 0 {
		parts = append(parts, "delay "+f.Delay.String())
	}
	switch {
	case f.Status != 0:
		parts = append(parts, "status "+strconv.Itoa(f.Status))
	case f.Drop != DropNever:
		parts = append(parts, "drop "+string(f.Drop))
	case f.Malformed:
		parts = append(parts, "malformed")
	case f.Body != "":
		parts = append(parts, "body")
	case f.Endless:
		parts = append(parts, "endless")
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// faultTable holds the faults that wait for requests.
type faultTable struct {
	mu     sync.Mutex // guards faults
	faults []Fault
}

// take returns the oldest fault that fits, and uses it up if its time is over.
func (t *faultTable) take(endpoint Endpoint, grant string) (Fault, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.faults {
		f := &t.faults[i]
		if f.Endpoint != AnyEndpoint && f.Endpoint != endpoint || f.Grant != "" && f.Grant != grant {
			continue
		}
		taken := *f
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				t.faults = append(t.faults[:i], t.faults[i+1:]...)
			}
		}
		return taken, true
	}
	return Fault{}, false
}

// Inject makes requests fail. It panics if the fault contradicts itself; see
// [Fault.Validate].
func (s *Server) Inject(f Fault) {
	if err := f.Validate(); err != nil {
		panic(err)
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.faults = append(s.faults.faults, f)
}

// ClearFaults takes all faults away.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.faults = nil
}

// serveFault answers a request in the way of the fault. A broken connection is
// http.ErrAbortHandler, net/http's own way: it also ends one stream of HTTP/2
// without the others.
func (c *call) serveFault(w http.ResponseWriter, f Fault) {
	switch {
	case f.Status != 0:
		a := faultProblem(c.place.endpoint, f.Status).reply(c.place)
		if f.RetryAfter > 0 {
			a.header.Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
		}
		c.s.journal.end(c, a)
		a.send(w)
	case f.Drop == DropBefore:
		c.s.journal.end(c, reply{})
		panic(http.ErrAbortHandler)
	case f.Drop == DropAfter:
		a := c.handle()
		a.status = 0
		c.s.journal.end(c, a)
		panic(http.ErrAbortHandler)
	case f.Drop == DropWithin:
		a := c.handle()
		if len(a.body) == 0 { // nothing to break within
			a.status = 0
			c.s.journal.end(c, a)
			panic(http.ErrAbortHandler)
		}
		c.s.journal.end(c, a)
		maps.Copy(w.Header(), a.header)
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		w.WriteHeader(a.status)
		w.Write(a.body[:len(a.body)/2])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case f.Malformed:
		a := c.handle()
		a.body = a.body[:len(a.body)*2/3]
		c.s.journal.end(c, a)
		a.send(w)
	case f.Body != "":
		a := newReply(http.StatusOK, jsonType, nil)
		a.body = []byte(f.Body)
		c.s.journal.end(c, a)
		a.send(w)
	case f.Endless:
		c.s.journal.end(c, reply{status: http.StatusOK})
		c.endless(w, f.Pace)
	default:
		a := c.handle()
		c.s.journal.end(c, a)
		a.send(w)
	}
}

// faultProblem words a status as the service does, as far as it has words.
func faultProblem(endpoint Endpoint, status int) problem {
	switch {
	case status == http.StatusTooManyRequests:
		return errTooMany
	case status == http.StatusUnauthorized && endpoint == TokenEndpoint:
		return errUnknownClient
	case status == http.StatusUnauthorized && endpoint == APIEndpoint:
		return errAccessDenied
	case status == http.StatusForbidden && endpoint == RevokeEndpoint:
		return errRevokeRefused
	}
	text := http.StatusText(status)
	return problem{
		status: status, title: text, detail: "This answer was asked for.",
		code: strings.ToUpper(strings.NewReplacer(" ", "_", "-", "_", "'", "").Replace(text)),
	}
}

// endless writes a body until the client has had enough.
func (c *call) endless(w http.ResponseWriter, pace time.Duration) {
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w).Flush
	piece := []byte(`{"access_token":"`)
	filler := bytes.Repeat([]byte("a"), 4096)
	if pace > 0 {
		filler = filler[:1]
	}
	for {
		if _, err := w.Write(piece); err != nil || flush() != nil {
			panic(http.ErrAbortHandler)
		}
		if !c.sleep(pace) {
			panic(http.ErrAbortHandler)
		}
		piece = filler
	}
}
