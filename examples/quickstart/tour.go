package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/bearerkit/bearer/commercelayer"
)

// tour calls the Core API and writes down what comes of it.
type tour struct {
	out      io.Writer
	client   *http.Client
	api      string     // the Core API's base
	requests func() int // token requests since it was last called; nil if nobody counts them
}

func newTour(ctx context.Context, out io.Writer, integration *commercelayer.Integration) (*tour, error) {
	api, err := integration.CoreAPIURL(ctx)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "bearer quickstart: an integration, its token and %s\n\n", api)
	return &tour{out: out, client: integration.Client(), api: api}, nil
}

// line writes what happened.
func (t *tour) line(what, format string, args ...any) {
	fmt.Fprintf(t.out, "%-31s %s\n", what, fmt.Sprintf(format, args...))
}

// counted is line with the number of token requests that it took.
func (t *tour) counted(what, format string, args ...any) {
	n := t.requests()
	noun := "token requests"
	if n == 1 {
		noun = "token request"
	}
	t.line(what, "%d %s, %s", n, noun, fmt.Sprintf(format, args...))
}

// list shows a few SKUs.
func (t *tour) list(ctx context.Context) error {
	var doc struct {
		Data []struct {
			Attributes struct {
				Code string `json:"code"`
			} `json:"attributes"`
		} `json:"data"`
		Meta struct {
			RecordCount int `json:"record_count"`
		} `json:"meta"`
	}
	resp, err := t.get(ctx)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		return fmt.Errorf("the list of SKUs is not JSON: %w", err)
	}
	var codes []string
	for _, sku := range doc.Data {
		codes = append(codes, sku.Attributes.Code)
	}
	text := fmt.Sprintf("%d SKUs: %s …", doc.Meta.RecordCount, strings.Join(codes, ", "))
	if t.requests == nil {
		t.line("list SKUs", "%s", text)
	} else {
		t.counted("list SKUs", "%s", text)
	}
	return nil
}

// get asks for the first SKUs.
func (t *tour) get(ctx context.Context) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.api+"/api/skus?page[size]=3", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/vnd.api+json")
	resp, err := t.client.Do(req)
	if err == nil && resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("the API answered %s", resp.Status)
	}
	return resp, err
}

// result is what came of many calls.
type result struct {
	failed  int
	err     error // the first failure
	slowest time.Duration
}

// traffic makes calls from so many callers at once, each so many, with pauses.
func (t *tour) traffic(ctx context.Context, callers, calls int, pause time.Duration) result {
	var mu sync.Mutex // guards r
	var r result
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range calls {
				start := time.Now()
				resp, err := t.get(ctx)
				took := time.Since(start)
				if err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				mu.Lock()
				r.slowest = max(r.slowest, took)
				if err != nil {
					r.failed++
					if r.err == nil {
						r.err = err
					}
				}
				mu.Unlock()
				time.Sleep(pause)
			}
		})
	}
	wg.Wait()
	return r
}
