package fleet_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// load is a visitor who comes again and again.
type load struct {
	Path   string
	Cookie string
	Every  time.Duration
	Want   []string // who it is, in the shop's eyes; anybody else is a failure
}

// tally is what became of visits.
type tally struct {
	Served, Failed int
	Slowest        time.Duration // of those served
	Failures       []string      // the first few
	Who            map[string]int
}

func (t *tally) add(v visit, took time.Duration, want []string) {
	if t.Who == nil {
		t.Who = map[string]int{}
	}
	switch {
	case v.Error != "":
	case len(want) > 0 && !slices.Contains(want, v.Who):
		v.Error = fmt.Sprintf("%s, want one of %q", v.Who, want)
	default:
		t.Served++
		t.Who[v.Who]++
		t.Slowest = max(t.Slowest, took)
		return
	}
	t.Failed++
	if len(t.Failures) < 5 {
		t.Failures = append(t.Failures, fmt.Sprintf("after %v: %s", took.Round(time.Millisecond), v.Error))
	}
}

// and adds what became of others.
func (t *tally) and(u tally) {
	t.Served += u.Served
	t.Failed += u.Failed
	t.Slowest = max(t.Slowest, u.Slowest)
	t.Failures = append(t.Failures, u.Failures...)
	if t.Who == nil {
		t.Who = map[string]int{}
	}
	for who, n := range u.Who {
		t.Who[who] += n
	}
}

// running is a load under way.
type running struct {
	stop chan struct{}
	done chan tally
}

func (l load) begin(url string) *running {
	r := &running{make(chan struct{}), make(chan tally, 1)}
	go func() {
		var t tally
		for {
			begin := time.Now()
			v := get(url+l.Path, l.Cookie)
			t.add(v, time.Since(begin), l.Want)
			select {
			case <-r.stop:
				r.done <- t
				return
			case <-time.After(l.Every - time.Since(begin)):
			}
		}
	}()
	return r
}

func (s *shop) unload() (t tally) {
	for _, r := range s.loads {
		close(r.stop)
	}
	for _, r := range s.loads {
		t.and(<-r.done)
	}
	s.loads = nil
	return t
}

// visitor makes requests to shops. They come from other machines, in life.
var visitor = &http.Client{
	Transport: &http.Transport{MaxIdleConnsPerHost: 10},
	Timeout:   patience,
}

// get visits a shop.
func get(url, cookie string) visit {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return visit{Error: err.Error()}
	}
	v, _ := send(req, cookie)
	return v
}

// send is what a browser does. It returns its cookie too, as it is then.
func send(req *http.Request, cookie string) (v visit, newCookie string) {
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	resp, err := visitor.Do(req)
	if err != nil {
		return visit{Error: err.Error()}, cookie
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		v.Error = err.Error()
	}
	for _, c := range resp.Cookies() {
		cookie = c.Name + "=" + c.Value
	}
	return v, cookie
}
