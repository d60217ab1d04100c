package commercelayertest

import (
	"bytes"
	"encoding/json"
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
	if !sleep(c.r, fault.Delay) {
		// The client has left: nothing was done, nobody to tell.
		c.s.journal.end(c, reply{})
		panic(http.ErrAbortHandler)
	}
	c.serveFault(w, fault)
}

// sleep waits, and tells whether the client is still there.
func sleep(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
