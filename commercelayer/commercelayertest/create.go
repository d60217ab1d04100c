package commercelayertest

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"
)

// create reads a JSON:API document and makes the resource that it describes.
func (c *call) create(who access, kind resourceKind) reply {
	at := c.place
	if mediaType, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || mediaType != jsonAPIType {
		return problem{
			status: http.StatusUnsupportedMediaType, title: "Unsupported media type", code: "UNSUPPORTED_MEDIA_TYPE",
			detail: "Send application/vnd.api+json in the Content-Type header.",
		}.reply(at)
	}
	body, err := c.readBody()
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return problem{
			status: http.StatusRequestEntityTooLarge, title: "Payload too large", code: "PAYLOAD_TOO_LARGE",
			detail: "The body is larger than 64 KiB.",
		}.reply(at)
	}
	var in document
	if err != nil || json.Unmarshal(body, &in) != nil || in.Data == nil {
		return problem{
			status: http.StatusBadRequest, title: "Bad request", code: "BAD_REQUEST",
			detail: "The body is not a JSON:API document.",
		}.reply(at)
	}
	if in.Data.Type != strings.Trim(at.path[len("/api/"):], "/") {
		return problem{
			status: http.StatusConflict, title: "Invalid resource type", code: "INVALID_RESOURCE",
			detail: "The document's type is not that of this address.", pointer: "/data/type",
		}.reply(at)
	}
	made, wrong := kind.create(who, in)
	if wrong != nil {
		return wrong.reply(at)
	}
	q, wrong := c.query()
	if wrong != nil {
		return wrong.reply(at)
	}
	object, included := c.object(made, q)
	a := newReply(http.StatusCreated, jsonAPIType, oneDocument{object, included})
	a.header.Set("Location", object.Links["self"])
	return a
}
