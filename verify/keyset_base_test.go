package verify_test

import (
	"bytes"
	"io"
	"net/http"
)

// answer is one without a server.
func answer(status int, body []byte) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}
}
