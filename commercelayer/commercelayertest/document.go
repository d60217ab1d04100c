package commercelayertest

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
)

// document is a resource as a client sends it.
type document struct {
	Data *struct {
		Type          string                     `json:"type"`
		ID            string                     `json:"id"`
		Attributes    map[string]json.RawMessage `json:"attributes"`
		Relationships map[string]struct {
			Data *identifier `json:"data"`
		} `json:"relationships"`
	} `json:"data"`
}

// readDocument reads the request's body as a resource of that type.
func (c *call) readDocument(resourceType string) (document, *problem) {
	if mediaType, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || mediaType != jsonAPIType {
		return document{}, &problem{
			status: http.StatusUnsupportedMediaType, title: "Unsupported media type", code: "UNSUPPORTED_MEDIA_TYPE",
			detail: "Send application/vnd.api+json in the Content-Type header.",
		}
	}
	body, err := c.readBody()
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return document{}, &problem{
			status: http.StatusRequestEntityTooLarge, title: "Payload too large", code: "PAYLOAD_TOO_LARGE",
			detail: "The body is larger than 64 KiB.",
		}
	}
	var in document
	if err != nil || json.Unmarshal(body, &in) != nil || in.Data == nil {
		return document{}, &problem{
			status: http.StatusBadRequest, title: "Bad request", code: "BAD_REQUEST",
			detail: "The body is not a JSON:API document.",
		}
	}
	if in.Data.Type != resourceType {
		return document{}, &problem{
			status: http.StatusConflict, title: "Invalid resource type", code: "INVALID_RESOURCE",
			detail: "The document's type is not that of this address.", pointer: "/data/type",
		}
	}
	return in, nil
}

// has tells whether a document names an attribute, even if only to clear it.
func (d document) has(name string) bool {
	_, ok := d.Data.Attributes[name]
	return ok
}

// related returns the id that a document relates to, by the relationship's
// name.
func (d document) related(name, resourceType string) string {
	if r := d.Data.Relationships[name].Data; r != nil && r.Type == resourceType {
		return r.ID
	}
	return ""
}

// attribute reads an attribute that this server keeps, a text or an object; nil
// if it is absent or null.
func (d document) attribute(name string, text bool) (any, *problem) {
	raw, ok := d.Data.Attributes[name]
	if !ok {
		return nil, nil
	}
	if text {
		var value *string
		if json.Unmarshal(raw, &value) != nil {
			return nil, invalid("/data/attributes/"+name, name+" is a text.")
		}
		if value == nil {
			return nil, nil
		}
		return *value, nil
	}
	var value map[string]any
	if json.Unmarshal(raw, &value) != nil {
		return nil, invalid("/data/attributes/"+name, name+" is an object.")
	}
	if value == nil {
		return nil, nil
	}
	return value, nil
}

// invalid is a 422 about a field of a document.
func invalid(pointer, detail string) *problem {
	return &problem{
		status: http.StatusUnprocessableEntity, title: "Invalid resource", code: "VALIDATION_ERROR",
		detail: detail, pointer: pointer,
	}
}
