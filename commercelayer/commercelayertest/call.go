package commercelayertest

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"
)

const (
	jsonType    = "application/json; charset=utf-8"
	jsonAPIType = "application/vnd.api+json"
)

// call is one request on its way through the server.
type call struct {
	s      *Server
	r      *http.Request
	place  place
	params params   // of the token and revocation endpoints
	wrong  *problem // why params could not be read
	grant  string   // one of the five, or empty
	app    *Application
	entry  Request

	body    []byte // once readBody was called
	bodyErr error
	bodyHad bool
}

// readBody reads the body, as far as it is wanted, the first time it is called.
func (c *call) readBody() ([]byte, error) {
	if !c.bodyHad {
		c.bodyHad = true
		c.body, c.bodyErr = io.ReadAll(http.MaxBytesReader(nil, c.r.Body, maxBody))
	}
	return c.body, c.bodyErr
}

// reply is an answer that has not been sent yet: what the server did is done,
// and a fault can still lose the answer.
type reply struct {
	status int
	header http.Header
	body   []byte
	code   string // of the error, for counting
}

func newReply(status int, contentType string, document any) reply {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(document); err != nil {
		// Only a document that this package got wrong cannot be encoded.
		body.Reset()
		body.WriteString(`{"errors":[]}`)
		status = http.StatusInternalServerError
	}
	return reply{
		status: status,
		header: http.Header{"Content-Type": {contentType}, "Cache-Control": {"no-store"}},
		body:   bytes.TrimRight(body.Bytes(), "\n"),
	}
}

func (a reply) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	w.Write(a.body)
}

// serve applies a fault, if one is due, acts, and answers.
func (c *call) serve(w http.ResponseWriter) {
	fault, faulty := c.s.faults.take(c.place.endpoint, c.grant)
	if !faulty {
		a := c.handle()
		c.s.journal.end(c, a)
		a.send(w)
		return
	}
	c.entry.Fault = fault.name()
	if fault.Delay > 0 {
		// net/http notices that a client has left only once its body was read.
		c.readBody()
	}
	if !c.sleep(fault.Delay) {
		// The client has left, or the server ends: nothing was done, nobody to tell.
		c.s.journal.end(c, reply{})
		panic(http.ErrAbortHandler)
	}
	c.serveFault(w, fault)
}

// sleep waits, and tells whether the client, and the server, are still there.
func (c *call) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		// Both may have happened at once.
		return c.r.Context().Err() == nil
	case <-c.r.Context().Done():
	case <-c.s.closing:
	}
	return false
}
