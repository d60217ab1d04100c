package commercelayertest

import "net/http"

// control is the control interface over HTTP.
type control struct{ on bool }

func newControl(on bool) *control { return &control{on: on} }

func (k *control) serve(s *Server, w http.ResponseWriter, r *http.Request, path string) {
	http.NotFound(w, r)
}
