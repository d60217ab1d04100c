package commercelayertest

import "net/http"

// create makes the resource that the request describes.
func (c *call) create(who access, resourceType string, kind resourceKind) reply {
	in, wrong := c.readDocument(resourceType)
	if wrong != nil {
		return wrong.reply(c.place)
	}
	// First, since an error means that nothing was made.
	q, wrong := c.query()
	if wrong != nil {
		return wrong.reply(c.place)
	}
	made, wrong := kind.create(who, in)
	if wrong != nil {
		return wrong.reply(c.place)
	}
	object, included := c.object(made, q)
	a := newReply(http.StatusCreated, jsonAPIType, oneDocument{object, included})
	a.header.Set("Location", object.Links["self"])
	return a
}

// update changes what the request names of a resource.
func (c *call) update(who access, resourceType, id string, kind resourceKind) reply {
	in, wrong := c.readDocument(resourceType)
	if wrong != nil {
		return wrong.reply(c.place)
	}
	if in.Data.ID != id {
		return problem{
			status: http.StatusBadRequest, title: "Key is not included in URL", code: "KEY_NOT_INCLUDED_IN_URL",
			detail: "The document's id is not that of this address.", pointer: "/data/id",
		}.reply(c.place)
	}
	q, wrong := c.query()
	if wrong != nil {
		return wrong.reply(c.place)
	}
	changed, wrong := kind.update(who, id, in)
	if wrong != nil {
		return wrong.reply(c.place)
	}
	object, included := c.object(changed, q)
	return newReply(http.StatusOK, jsonAPIType, oneDocument{object, included})
}

// remove deletes a resource.
func (c *call) remove(who access, id string, kind resourceKind) reply {
	if wrong := kind.remove(who, id); wrong != nil {
		return wrong.reply(c.place)
	}
	return reply{status: http.StatusNoContent, header: http.Header{"Cache-Control": {"no-store"}}}
}

// allow is the value of the Allow header at an address of this type.
func (k resourceKind) allow(path []string) string {
	allow := "GET"
	switch len(path) {
	case 1:
		if k.create != nil {
			allow += ", POST"
		}
	case 2:
		if k.update != nil {
			allow += ", PATCH"
		}
		if k.remove != nil {
			allow += ", DELETE"
		}
	}
	return allow
}
