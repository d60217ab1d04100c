package bearer_test

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"

	"github.com/bearerkit/bearer"
)

// stamped serves h as Middleware does, with a cookie as the header's last field.
func stamped(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		rw, finish := bearer.NewResponse(w, func(w http.ResponseWriter) { w.Header().Add("Set-Cookie", "stamp=1") })
		defer finish()
		h(rw, r)
	}
}

func wantStamp(t *testing.T, what string, h http.Header) {
	t.Helper()
	if got := strings.Join(h["Set-Cookie"], ", "); got != "stamp=1" {
		t.Errorf("%s has the cookies %q, want %q", what, got, "stamp=1")
	}
}

// complaints fails the test for what a server logs.
type complaints struct{ t *testing.T }

func (c complaints) Write(p []byte) (int, error) {
	c.t.Errorf("the server says: %s", p)
	return len(p), nil
}

// serve starts a real server, of HTTP/2 with TLS, and returns its URL and client.
// The test ends after all handlers have.
func serve(t *testing.T, proto string, h http.Handler) (string, *http.Client) {
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running.Add(1)
		defer running.Done()
		h.ServeHTTP(w, r)
	}))
	srv.Config.ErrorLog = log.New(complaints{t}, "", 0)
	if proto == "HTTP/2.0" {
		srv.EnableHTTP2 = true
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	return srv.URL, srv.Client()
}

// eachProto runs f with a server of HTTP/1.1 and with one of HTTP/2.
func eachProto(t *testing.T, h http.HandlerFunc, f func(t *testing.T, url string, client *http.Client)) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(proto, func(t *testing.T) {
			url, client := serve(t, proto, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Proto != proto {
					t.Errorf("the request came by %s, want %s", r.Proto, proto)
				}
				h(w, r)
			}))
			f(t, url, client)
		})
	}
}

func TestResponseAnswers(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/implicit", stamped(func(w http.ResponseWriter, r *http.Request) {}))
	mux.HandleFunc("/write", stamped(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	mux.HandleFunc("/204", stamped(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	mux.HandleFunc("/304", stamped(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotModified)
		if _, err := io.WriteString(w, "hello"); err != http.ErrBodyNotAllowed {
			t.Errorf("Write for a 304: %v, want the server's %v", err, http.ErrBodyNotAllowed)
		}
	}))
	mux.HandleFunc("/error", stamped(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "hello", http.StatusTeapot) }))
	mux.HandleFunc("/redirect", stamped(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/write", http.StatusSeeOther)
	}))
	mux.HandleFunc("/wrapped", stamped(func(w http.ResponseWriter, r *http.Request) { // by the application's own middleware
		w = wrapping{w}
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("Flush: %v", err)
		}
		io.WriteString(w, "hello")
	}))
	mux.HandleFunc("/wrapping", func(w http.ResponseWriter, r *http.Request) { // by a middleware above
		stamped(func(w http.ResponseWriter, r *http.Request) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("Flush: %v", err)
			}
			io.WriteString(w, "hello")
		})(wrapping{w}, r)
	})
	eachProto(t, mux.ServeHTTP, func(t *testing.T, url string, client *http.Client) {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for _, tt := range []struct {
			method, path string
			status       int
			body         string
		}{
			{"GET", "/implicit", 200, ""},
			{"GET", "/write", 200, "hello"},
			{"HEAD", "/write", 200, ""},
			{"GET", "/204", 204, ""},
			{"GET", "/304", 304, ""},
			{"GET", "/error", 418, "hello\n"},
			{"HEAD", "/redirect", 303, ""},
			{"GET", "/wrapped", 200, "hello"},
			{"GET", "/wrapping", 200, "hello"},
		} {
			req, err := http.NewRequest(tt.method, url+tt.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			want(t, resp, err, tt.status, tt.body)
			wantStamp(t, tt.method+" "+tt.path, resp.Header)
		}
	})
}

func TestResponseEvents(t *testing.T) {
	seen := make(chan bool)
	eachProto(t, stamped(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		<-seen
		io.WriteString(w, "data: 2\n\n")
	}), func(t *testing.T, url string, client *http.Client) {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		events := bufio.NewReader(resp.Body)
		if got, err := events.ReadString('\n'); got != "data: 1\n" {
			t.Errorf("while the handler runs, its client reads %q, %v", got, err)
		}
		wantStamp(t, "the stream", resp.Header)
		seen <- true
		if rest, err := io.ReadAll(events); string(rest) != "\ndata: 2\n\n" || err != nil {
			t.Errorf("then it reads %q, %v", rest, err)
		}
	})
}

func TestResponseInformational(t *testing.T) {
	eachProto(t, stamped(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusProcessing)
		io.WriteString(w, "hello")
	}), func(t *testing.T, url string, client *http.Client) {
		var codes []int
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
				codes = append(codes, code)
				if header.Get("Set-Cookie") != "" || header.Get("Link") == "" {
					t.Errorf("%d has the header %v, want a Link and no cookie", code, header)
				}
				return nil
			},
		})
		req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		want(t, resp, err, 200, "hello")
		wantStamp(t, "the answer", resp.Header)
		if fmt.Sprint(codes) != "[103 102]" {
			t.Errorf("informational answers %v, want [103 102]", codes)
		}
	})
}

func TestResponseTrailers(t *testing.T) {
	eachProto(t, stamped(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Announced")
		io.WriteString(w, "hello")
		w.Header().Set("Announced", "1")
		w.Header().Set(http.TrailerPrefix+"Late", "2")
	}), func(t *testing.T, url string, client *http.Client) {
		resp, err := client.Get(url)
		want(t, resp, err, 200, "hello")
		wantStamp(t, "the header", resp.Header)
		if got := fmt.Sprint(resp.Trailer); got != "map[Announced:[1] Late:[2]]" {
			t.Errorf("the trailer is %s", got)
		}
	})
}

func TestResponsePanics(t *testing.T) {
	for _, tt := range []struct {
		name   string
		value  any
		write  string
		status int
		body   string
	}{
		{"before the header", "boom", "", 500, "sorry"},
		{"after the header", "boom", "hello", 200, "hellosorry"},
		{"aborted", http.ErrAbortHandler, "", 500, "sorry"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachProto(t, func(w http.ResponseWriter, r *http.Request) {
				defer func() {
					if got := recover(); got != tt.value {
						t.Errorf("recovered %v, want %v", got, tt.value)
					}
					if tt.write == "" {
						w.WriteHeader(500)
					}
					io.WriteString(w, "sorry")
				}()
				stamped(func(w http.ResponseWriter, r *http.Request) {
					if tt.write != "" {
						io.WriteString(w, tt.write)
					}
					panic(tt.value)
				})(w, r)
			}, func(t *testing.T, url string, client *http.Client) {
				resp, err := client.Get(url)
				want(t, resp, err, tt.status, tt.body)
				wantStamp(t, "the answer", resp.Header)
			})
		})
	}
}

// http.ErrAbortHandler, recovered by nobody, cuts the answer off.
func TestResponseAborts(t *testing.T) {
	seen := make(chan bool)
	eachProto(t, stamped(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello")
		http.NewResponseController(w).Flush()
		<-seen
		panic(http.ErrAbortHandler)
	}), func(t *testing.T, url string, client *http.Client) {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		wantStamp(t, "the answer", resp.Header)
		seen <- true
		if body, err := io.ReadAll(resp.Body); string(body) != "hello" || err == nil {
			t.Errorf("read %q, %v, want hello and an error", body, err)
		}
	})
}
