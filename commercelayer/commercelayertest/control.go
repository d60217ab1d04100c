package commercelayertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"time"
)

// control is the control interface over HTTP, for people who run the server as
// a program.
type control struct {
	server *Server
	mux    *http.ServeMux
	origin *http.CrossOriginProtection
}

func newControl(s *Server) *control {
	if !s.opts.UnsafeControl {
		return nil
	}
	k := &control{server: s, mux: http.NewServeMux(), origin: http.NewCrossOriginProtection()}
	k.mux.HandleFunc("GET /_local/health", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]string{"status": "ok"})
	})
	k.mux.HandleFunc("GET /_local/counts", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Counts()) })
	k.mux.HandleFunc("DELETE /_local/counts", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.ResetCounts()) })
	k.mux.HandleFunc("GET /_local/metrics", func(w http.ResponseWriter, _ *http.Request) { k.metrics(w) })
	k.mux.HandleFunc("GET /_local/requests", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Requests()) })
	k.mux.HandleFunc("POST /_local/faults", k.inject)
	k.mux.HandleFunc("DELETE /_local/faults", done(func(*http.Request) error { s.ClearFaults(); return nil }))
	k.mux.HandleFunc("POST /_local/revoke", k.revoke)
	k.mux.HandleFunc("POST /_local/revoke-all", done(func(*http.Request) error { s.RevokeAll(); return nil }))
	k.mux.HandleFunc("POST /_local/expire-all", done(func(*http.Request) error { s.ExpireAll(); return nil }))
	k.mux.HandleFunc("POST /_local/roll-keys", done(k.rollKeys))
	return k
}

// serve lets through who may control the server: somebody on this machine, and
// no page of another origin that runs in their browser. That the Host is one of
// ours, locate has seen to.
func (k *control) serve(w http.ResponseWriter, r *http.Request) {
	site := r.Header.Get("Sec-Fetch-Site")
	switch {
	case !fromLoopback(r.RemoteAddr):
		refuse(w, http.StatusForbidden, "the control interface answers this machine only")
	case k.origin.Check(r) != nil || site != "" && site != "same-origin" && site != "none":
		refuse(w, http.StatusForbidden, "the control interface answers no page of another origin")
	default:
		k.mux.ServeHTTP(w, r)
	}
}

func fromLoopback(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// faultRequest is a [Fault] with its durations as texts, such as "1.5s".
type faultRequest struct {
	Endpoint   Endpoint `json:"endpoint"`
	Grant      string   `json:"grant"`
	Times      int      `json:"times"`
	Delay      duration `json:"delay"`
	Status     int      `json:"status"`
	RetryAfter duration `json:"retry_after"`
	Drop       Drop     `json:"drop"`
	Malformed  bool     `json:"malformed"`
	Body       string   `json:"body"`
	Endless    bool     `json:"endless"`
	Pace       duration `json:"pace"`
}

type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

func (k *control) inject(w http.ResponseWriter, r *http.Request) {
	var f faultRequest
	if !decode(w, r, &f) {
		return
	}
	fault := Fault{
		Endpoint: f.Endpoint, Grant: f.Grant, Times: f.Times, Delay: time.Duration(f.Delay), Status: f.Status,
		RetryAfter: time.Duration(f.RetryAfter), Drop: f.Drop, Malformed: f.Malformed, Body: f.Body,
		Endless: f.Endless, Pace: time.Duration(f.Pace),
	}
	if err := fault.Validate(); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	k.server.Inject(fault)
	w.WriteHeader(http.StatusNoContent)
}

func (k *control) revoke(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Token string `json:"token"`
	}
	if !decode(w, r, &in) {
		return
	}
	answer(w, map[string]bool{"revoked": k.server.Revoke(in.Token)})
}

func (k *control) rollKeys(r *http.Request) error {
	opts := &RollKeysOptions{}
	switch r.URL.Query().Get("drop_old") {
	case "", "false":
	case "true":
		opts.DropOld = true
	default:
		return errors.New("drop_old: use true or false")
	}
	k.server.RollKeys(opts)
	return nil
}

// metrics writes the counts as Prometheus reads them.
func (k *control) metrics(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	counts := reflect.ValueOf(k.server.Counts())
	for i := range counts.NumField() {
		name := "commercelayer_local_" + counts.Type().Field(i).Tag.Get("json") + "_total"
		fmt.Fprintf(w, "# TYPE %s counter\n%s %d\n", name, name, counts.Field(i).Int())
	}
}

// done makes a handler of something that has nothing to say if it succeeds.
func done(do func(*http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := do(r); err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// decode reads a JSON body, in which a misspelt field is a mistake.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, after := d.Token(); after != io.EOF {
			err = errors.New("there is more after the object")
		}
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "the body is not the JSON object that is wanted here: "+
			strings.TrimPrefix(err.Error(), "json: "))
		return false
	}
	return true
}

func answer(w http.ResponseWriter, document any) {
	newReply(http.StatusOK, jsonType, document).send(w)
}

func refuse(w http.ResponseWriter, status int, why string) {
	newReply(status, jsonType, map[string]string{"error": why}).send(w)
}
