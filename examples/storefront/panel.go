package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// hoodView is what the panel shows when the page is made.
type hoodView struct {
	Request  *requestView
	Left     string // of the token's life, in words
	Counts   counts
	Local    bool   // the counts are the server's own, and there are buttons
	Storage  string // that several instances share
	Customer bool
	Failing  bool
	Entries  []entry // newest first
	After    int64   // the newest one
}

// counts are of the whole shop.
type counts struct {
	Tokens   int64 `json:"tokens"`
	API      int64 `json:"api"`
	Rejected int64 `json:"rejected"`
}

func (h *hood) counts() counts {
	if h.local == nil {
		return counts{h.wire.tokens.Load(), h.wire.api.Load(), h.wire.rejected.Load()}
	}
	n := h.local.Counts()
	return counts{int64(n.TokenRequests), int64(n.APIRequests), int64(n.APIInvalidToken)}
}

// view is what the panel shows of this request and its feed.
func (t *trace) view(customer bool) hoodView {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.hood
	v := hoodView{Request: t.request(), Counts: h.counts(), Local: h.local != nil, Storage: h.storage, Customer: customer, Failing: h.isFailing()}
	if t.as != nil && !t.as.Token.Expiry.IsZero() {
		v.Left = left(time.Until(t.as.Token.Expiry))
	}
	v.After = h.seq.Load()
	entries, _, _ := t.feed.after(0)
	for _, e := range slices.Backward(entries) {
		if e.Seq <= v.After {
			v.Entries = append(v.Entries, e)
		}
	}
	return v
}

// left is how the script says it too.
func left(d time.Duration) string {
	d = d.Round(time.Second)
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case d <= 0:
		return "over"
	case h > 0:
		return fmt.Sprintf("in %d h %d min", h, m)
	case m > 0:
		return fmt.Sprintf("in %d min %d s", m, s)
	}
	return fmt.Sprintf("in %d s", s)
}

func (h *hood) isFailing() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failing
}

// setFailing makes the token endpoint fail, or work again.
func (h *hood) setFailing(failing bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.local.ClearFaults() // so that there is never more than one
	if failing {
		h.local.Inject(commercelayertest.Fault{Endpoint: commercelayertest.TokenEndpoint, Status: http.StatusServiceUnavailable})
	}
	h.failing = failing
}

// press takes a button of the panel.
func (v *visit) press() (err error) {
	code := v.r.PathValue("button")
	switch code {
	case "guest-revoked":
		err = v.spoilGuest()
	case "customer-revoked", "customer-ended":
		if !v.customer() {
			code = "no-customer"
			break
		}
		err = v.spoilCustomer(code == "customer-ended")
	case "all-expired":
		v.local.ExpireAll()
	case "failing", "working":
		v.hood.setFailing(code == "failing")
	default:
		return v.notFound()
	}
	if err == nil {
		v.goTo(v.back(), code)
	}
	return err
}

// stream sends the browser's feed as it grows, and the counts (Server-sent
// events). It ends with the feed, when the visitor has become somebody else, and
// with the server; the browser then asks for another one.
func (h *hood) stream(w http.ResponseWriter, r *http.Request) {
	t := traceOf(r.Context())
	after, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64)
	if err != nil {
		after, _ = strconv.ParseInt(r.FormValue("after"), 10, 64)
	}
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	control := http.NewResponseController(w)
	heartbeat := time.NewTicker(15 * time.Second)
	defer heartbeat.Stop()
	for {
		entries, changed, open := t.feed.after(after)
		control.SetWriteDeadline(time.Now().Add(10 * time.Second))
		send(w, 0, "counts", h.counts())
		for _, e := range entries {
			send(w, e.Seq, "entry", e)
			after = e.Seq
		}
		if control.Flush() != nil || !open {
			return
		}
		select {
		case <-changed:
		case <-heartbeat.C:
		case <-r.Context().Done():
			return
		}
	}
}

// send writes an event. JSON has no line breaks of its own.
func send(w http.ResponseWriter, id int64, event string, data any) {
	b, err := json.Marshal(data)
	if err != nil {
		return
	}
	if id > 0 {
		fmt.Fprintf(w, "id: %d\n", id)
	}
	fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, b)
}
