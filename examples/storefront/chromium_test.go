package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// The tests in chromium_*_test.go look at the shop through a real browser, on a real
// port and by the real clock. They wait for what they want to see and never for a
// time. No step fails for being slow before it has had a minute.
const patience = time.Minute

var pictures = flag.String("screenshots", "", "`directory` that the browser tests write pictures of the shop to")

func TestMain(m *testing.M) {
	code := m.Run()
	closeChromium()
	os.Exit(code)
}

var closeChromium = func() {}

// chromium is the one browser process of all tests. Each test has profiles of its
// own in it.
var chromium = sync.OnceValues(func() (context.Context, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.Flag("headless", "new"),
		chromedp.DisableGPU,
		// It gets to this machine and nowhere else, whatever the page says or the
		// browser is curious about.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE localhost"),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(patience),
	)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ = chromedp.NewContext(ctx)
	closeChromium = func() {
		patient, stop := context.WithTimeout(ctx, patience)
		defer stop()
		if err := chromedp.Cancel(patient); err != nil && !errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, "closing the browser:", err)
		}
		cancel()
	}
	err := chromedp.Do(ctx)
	if errors.Is(err, exec.ErrNotFound) {
		err = fmt.Errorf("there is no browser to test the shop with: ./test.sh installs chromium, or tells how to: %w", err)
	}
	return ctx, err
})

// stand is the shop on a port of this machine.
type stand struct {
	*shop
	t      *testing.T
	url    string
	issued *issued

	mu     sync.Mutex // guards what follows
	seen   []string   // all that browsers have got, and all that scripts could read
	events []any      // what browsers tell of their requests and answers
	amiss  []string   // what browsers have complained of
	excuse []string   // parts of complaints that the test is to provoke
}

// openStand serves a shop until the test ends, and then checks that no token has
// got into a browser and that no browser has had anything to complain of.
func openStand(t *testing.T) *stand {
	t.Helper()
	return openStandWith(t, func(s *stand, service *service) (opened, error) {
		shop, err := newShop(service, false)
		if err == nil {
			s.listen(shop)
		}
		return shop, err
	})
}

// openStandWith is openStand for what open opens.
func openStandWith(t *testing.T, open func(*stand, *service) (opened, error)) *stand {
	t.Helper()
	service, err := newService(env(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.close)
	s := &stand{t: t, issued: &issued{base: service.base}}
	service.base = s.issued
	shop, err := open(s, service)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	s.url = "http://localhost:" + port
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- shop.serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		s.check()
	})
	return s
}

// listen notes all that a shop answers, and uses that shop from now on.
func (s *stand) listen(shop *shop) {
	s.shop = shop
	handler := shop.handler
	shop.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tap := &tap{ResponseWriter: w}
		handler.ServeHTTP(tap, r)
		w.Header().Write(&tap.text)
		s.saw(tap.text.String())
	})
}

// tap notes what is written through it.
type tap struct {
	http.ResponseWriter
	text bytes.Buffer
}

func (x *tap) Unwrap() http.ResponseWriter { return x.ResponseWriter }

func (x *tap) Write(b []byte) (int, error) {
	x.text.Write(b)
	return x.ResponseWriter.Write(b)
}

func (s *stand) saw(texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, texts...)
}

// hear is what a tab calls with each of the browser's events.
func (s *stand) hear(event any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	complain := func(format string, args ...any) { s.amiss = append(s.amiss, fmt.Sprintf(format, args...)) }
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b, _ := json.Marshal(e.ExceptionDetails)
		complain("exception: %s", b)
	case *runtime.EventConsoleAPICalled:
		b, _ := json.Marshal(e.Args)
		complain("console: %s", b)
	case *log.EventEntryAdded:
		// That a page was a 503 is for the test to expect, or else below.
		if e.Entry.Source != log.EntrySourceNetwork && (e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning) {
			complain("%s: %s", e.Entry.Source, e.Entry.Text)
		}
	case *audits.EventIssueAdded:
		// What is slow is the reading of cookies by this test.
		if e.Issue.Code != audits.InspectorIssueCodePerformanceIssue {
			b, _ := json.Marshal(e.Issue)
			complain("issue: %s", b)
		}
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, s.url+"/") {
			complain("a request for %s", e.Request.URL)
		}
	case *network.EventResponseReceived:
		if e.Type != network.ResourceTypeDocument && e.Response.Status >= 400 {
			complain("%s: %d", e.Response.URL, e.Response.Status)
		}
	}
	if strings.HasPrefix(fmt.Sprintf("%T", event), "*network.") {
		s.events = append(s.events, event)
	}
}

// check is the end of each test.
func (s *stand) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, complaint := range s.amiss {
		if !slices.ContainsFunc(s.excuse, func(part string) bool { return strings.Contains(complaint, part) }) {
			s.t.Errorf("the browser complains: %s", complaint)
		}
	}
	for _, e := range s.events {
		b, err := json.Marshal(e)
		if err != nil {
			s.t.Errorf("%T: %v", e, err)
		}
		s.seen = append(s.seen, string(b))
	}
	all := strings.Join(s.seen, "\n")
	tokens := s.issued.list()
	if !s.t.Failed() && (len(tokens) == 0 || len(s.seen) == 0) {
		s.t.Errorf("%d tokens were issued and %d things seen: there is nothing to check", len(tokens), len(s.seen))
	}
	// Neither the whole of a token nor its claims or signature, which the first
	// part, that all tokens have in common, would not tell.
	for _, token := range tokens {
		for _, part := range append(strings.Split(token, "."), token) {
			if at := strings.Index(all, part); at >= 0 {
				s.t.Errorf("a token, or a part of it, is in a browser: …%s…", all[max(0, at-200):min(len(all), at+200)])
				return
			}
		}
	}
}
