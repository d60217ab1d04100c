package bearer

import (
	"net/http"
	"time"
)

// Carrier keeps a customer's record, with its tokens, in the browser: in place
// of a session id there and the record in a Storage here. It must be safe for
// concurrent use. Set one in [MiddlewareOptions].
//
// A record is the JSON that a Storage would hold. Its key names the storefront,
// not the visitor, so that a carrier can make a cookie's name of it.
type Carrier interface {
	// Load returns the record that r carries under key, nil if it carries none. One
	// that cannot be trusted, because it was forged, cut off, sent twice or made for
	// another key, is an error; the visitor is a guest then. It must not panic,
	// whatever a visitor sends. The header of r is as it came, whatever handlers do to
	// theirs.
	Load(r *http.Request, key string) ([]byte, error)

	// Save has the browser keep record for maxAge; 0 means for as long as the
	// browser runs, and a nil record removes what is kept. It sets header fields
	// of w and nothing else. A record that no browser would keep is an error.
	Save(w http.ResponseWriter, key string, record []byte, maxAge time.Duration) error
}
