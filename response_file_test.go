package bearer_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// files serves a file of 1 MiB in the ways that handlers have.
func files(t *testing.T) (mux *http.ServeMux, content string, modified time.Time) {
	content = strings.Repeat("0123456789abcdef", 1<<16)
	name := filepath.Join(t.TempDir(), "file.txt")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	modified = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(name, modified, modified); err != nil {
		t.Fatal(err)
	}
	open := func(f func(w http.ResponseWriter, r *http.Request, file *os.File)) http.HandlerFunc {
		return stamped(func(w http.ResponseWriter, r *http.Request) {
			file, err := os.Open(name)
			if err != nil {
				t.Error(err)
				return
			}
			defer file.Close()
			f(w, r, file)
		})
	}
	mux = http.NewServeMux()
	mux.HandleFunc("/copy", open(func(w http.ResponseWriter, r *http.Request, file *os.File) {
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		if n, err := io.Copy(w, file); r.Method == "GET" && (n != int64(len(content)) || err != nil) {
			t.Errorf("io.Copy copied %d, %v, want %d", n, err, len(content))
		}
	}))
	mux.HandleFunc("/content", open(func(w http.ResponseWriter, r *http.Request, file *os.File) {
		http.ServeContent(w, r, "file.txt", modified, file)
	}))
	mux.HandleFunc("/file", stamped(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) }))
	return mux, content, modified
}

func TestResponseFiles(t *testing.T) {
	mux, content, modified := files(t)
	eachProto(t, mux.ServeHTTP, func(t *testing.T, url string, client *http.Client) {
		for _, tt := range []struct {
			name, method, path, field, value string
			status                           int
			body                             string
		}{
			{"io.Copy", "GET", "/copy", "", "", 200, content},
			{"io.Copy for HEAD", "HEAD", "/copy", "", "", 200, ""},
			{"ServeContent", "GET", "/content", "", "", 200, content},
			{"ServeContent of a range", "GET", "/content", "Range", "bytes=16-900015", 206, content[16:900016]},
			{"ServeContent not modified", "GET", "/content", "If-Modified-Since", modified.Format(http.TimeFormat), 304, ""},
			{"ServeFile", "GET", "/file", "", "", 200, content},
			{"ServeFile for HEAD", "HEAD", "/file", "", "", 200, ""},
			{"ServeFile not modified", "GET", "/file", "If-Modified-Since", modified.Format(http.TimeFormat), 304, ""},
		} {
			t.Run(tt.name, func(t *testing.T) {
				req, err := http.NewRequest(tt.method, url+tt.path, nil)
				if err != nil {
					t.Fatal(err)
				}
				if tt.field != "" {
					req.Header.Set(tt.field, tt.value)
				}
				resp, err := client.Do(req)
				if status, body := read(t, resp, err); status != tt.status || body != tt.body {
					t.Errorf("the answer is %d with %d bytes, want %d with %d", status, len(body), tt.status, len(tt.body))
				}
				wantStamp(t, "the answer", resp.Header)
			})
		}
	})
}

// recordingConn tells whether its server asks it to copy from a file, which the kernel does.
type recordingConn struct {
	*net.TCPConn
	asked chan<- bool
}

func (c recordingConn) ReadFrom(src io.Reader) (int64, error) {
	under := src
	if l, ok := src.(*io.LimitedReader); ok {
		under = l.R
	}
	_, ok := under.(syscall.Conn)
	c.asked <- ok
	return c.TCPConn.ReadFrom(src)
}

type recordingListener struct {
	net.Listener
	asked chan<- bool
}

func (l recordingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return recordingConn{c.(*net.TCPConn), l.asked}, nil
}

// Our writer does not stand between the kernel and the file.
func TestResponseSendfile(t *testing.T) {
	mux, content, _ := files(t)
	asked := make(chan bool, 1)
	srv := httptest.NewUnstartedServer(mux)
	srv.Config.ErrorLog = log.New(complaints{t}, "", 0)
	srv.Listener = recordingListener{srv.Listener, asked}
	srv.Start()
	defer srv.Close()
	for _, path := range []string{"/copy", "/content", "/file"} {
		resp, err := srv.Client().Get(srv.URL + path)
		if status, body := read(t, resp, err); status != 200 || body != content {
			t.Errorf("GET %s: %d with %d bytes, want 200 with %d", path, status, len(body), len(content))
		}
		select {
		case file := <-asked:
			if !file {
				t.Errorf("GET %s: the connection got something else than the file to copy from", path)
			}
		default:
			t.Errorf("GET %s: the connection was not asked to copy the file", path)
		}
	}
}
