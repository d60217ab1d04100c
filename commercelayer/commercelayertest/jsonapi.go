package commercelayertest

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// attributes are a resource's own values.
type attributes map[string]any

// resource is a JSON:API resource.
type resource struct {
	ID         string
	Type       string
	Attributes attributes
	// related is what it has to do with, by the name of the relationship.
	related map[string]relation
}

// relation leads from a resource to others of one type.
type relation struct {
	to   string // their type
	one  bool   // there is at most one
	list func() []resource
}

// identifiers are what the relation leads to, for the data of a relationship.
func (r relation) identifiers() any {
	ids := []identifier{}
	for _, other := range r.list() {
		ids = append(ids, identifier{other.Type, other.ID})
	}
	switch {
	case !r.one:
		return ids
	case len(ids) == 0:
		return nil
	}
	return ids[0]
}

type links map[string]string

type relationship struct {
	Links links `json:"links"`
	Data  any   `json:"data,omitempty"` // only of what is included
}

// linkage is the document at a relationship's own address.
type linkage struct {
	Data  any   `json:"data"`
	Links links `json:"links"`
}

type identifier struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// resourceObject is a resource as it is sent.
type resourceObject struct {
	ID            string                  `json:"id"`
	Type          string                  `json:"type"`
	Links         links                   `json:"links"`
	Attributes    attributes              `json:"attributes"`
	Relationships map[string]relationship `json:"relationships,omitempty"`
	Meta          resourceMeta            `json:"meta"`
}

type resourceMeta struct {
	Mode           string `json:"mode"`
	OrganizationID string `json:"organization_id"`
}

type oneDocument struct {
	Data     resourceObject   `json:"data"`
	Included []resourceObject `json:"included,omitempty"`
}

type listDocument struct {
	Data     []resourceObject `json:"data"`
	Included []resourceObject `json:"included,omitempty"`
	Meta     listMeta         `json:"meta"`
	Links    links            `json:"links"`
}

type listMeta struct {
	RecordCount int `json:"record_count"`
	PageCount   int `json:"page_count"`
}

// one answers with one resource.
func (c *call) one(r resource) reply {
	q, wrong := c.query()
	if wrong != nil {
		return wrong.reply(c.place)
	}
	object, included := c.object(r, q)
	return newReply(http.StatusOK, jsonAPIType, oneDocument{object, included})
}

// list answers with one page of resources of that type.
func (c *call) list(resourceType string, all []resource) reply {
	q, wrong := c.query()
	if wrong != nil {
		return wrong.reply(c.place)
	}
	by, wrong := q.criteria(resourceType, c.s.shop.kinds[resourceType])
	if wrong != nil {
		return wrong.reply(c.place)
	}
	found := make([]resource, 0, len(all))
	for _, r := range all {
		if q.matches(r) {
			found = append(found, r)
		}
	}
	doc := listDocument{
		Data:  []resourceObject{},
		Meta:  listMeta{len(found), (len(found) + q.size - 1) / q.size},
		Links: c.pageLinks(q, len(found)),
	}
	arrange(found, by)
	start := min((q.number-1)*q.size, len(found))
	included := map[identifier]bool{}
	for _, r := range found[start:min(start+q.size, len(found))] {
		object, more := c.object(r, q)
		doc.Data = append(doc.Data, object)
		for _, m := range more {
			if id := (identifier{m.Type, m.ID}); !included[id] {
				included[id] = true
				doc.Included = append(doc.Included, m)
			}
		}
	}
	return newReply(http.StatusOK, jsonAPIType, doc)
}

// object writes a resource out, and what a client wants to have included.
func (c *call) object(r resource, q query) (resourceObject, []resourceObject) {
	self := c.place.base + "/api/" + r.Type + "/" + r.ID
	if c.s.shop.kinds[r.Type].singular || r.Type == "user" {
		self = c.place.base + "/api/" + r.Type
	}
	o := resourceObject{
		ID: r.ID, Type: r.Type, Links: links{"self": self}, Attributes: r.Attributes,
		Meta: resourceMeta{"test", c.s.opts.Organization.ID},
	}
	if c.s.opts.Organization.Live {
		o.Meta.Mode = "live"
	}
	if wanted, ok := q.fields[r.Type]; ok {
		o.Attributes = attributes{}
		for _, name := range wanted {
			if value, ok := r.Attributes[name]; ok {
				o.Attributes[name] = value
			}
		}
	}
	var included []resourceObject
	for name, to := range r.related {
		rel := relationship{Links: relationshipLinks(self, name)}
		if slices.Contains(q.include, name) {
			rel.Data = to.identifiers()
			for _, other := range to.list() {
				object, _ := c.object(other, query{fields: q.fields})
				included = append(included, object)
			}
		}
		if o.Relationships == nil {
			o.Relationships = map[string]relationship{}
		}
		o.Relationships[name] = rel
	}
	return o, included
}

func relationshipLinks(self, name string) links {
	return links{"self": self + "/relationships/" + name, "related": self + "/" + name}
}

// query is what a client asks for in a URL. Parameters that this server does not
// know, it ignores.
type query struct {
	number, size int
	include      []string
	fields       map[string][]string
	filters      map[string]string // filter[q][…], by what stands in the brackets
	sort         string
}

func (c *call) query() (query, *problem) {
	q := query{number: 1, size: 10, fields: map[string][]string{}, filters: map[string]string{}}
	for name, values := range c.r.URL.Query() {
		value := values[len(values)-1]
		switch {
		case name == "page[number]":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > 1_000_000 {
				return q, invalidPage(name, "from 1 on")
			}
			q.number = n
		case name == "page[size]":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > 25 {
				return q, invalidPage(name, "from 1 to 25")
			}
			q.size = n
		case name == "include":
			for path := range strings.SplitSeq(value, ",") {
				first, _, _ := strings.Cut(path, ".")
				q.include = append(q.include, first)
			}
		case name == "sort":
			q.sort = value
		case strings.HasPrefix(name, "fields[") && strings.HasSuffix(name, "]"):
			q.fields[name[len("fields["):len(name)-1]] = strings.Split(value, ",")
		case strings.HasPrefix(name, "filter[q][") && strings.HasSuffix(name, "]"):
			q.filters[name[len("filter[q]["):len(name)-1]] = value
		}
	}
	return q, nil
}

func invalidPage(name, allowed string) *problem {
	return &problem{
		status: http.StatusBadRequest, title: "Invalid page value", code: "INVALID_PAGE_VALUE",
		detail: "The parameter " + name + " is a number " + allowed + ".",
	}
}

// matches applies the filters attribute_eq and attribute_in.
func (q query) matches(r resource) bool {
	for filter, value := range q.filters {
		if name, ok := strings.CutSuffix(filter, "_eq"); ok {
			if have, ok := r.Attributes[name]; ok && fmt.Sprint(have) != value {
				return false
			}
		}
		if name, ok := strings.CutSuffix(filter, "_in"); ok {
			if have, ok := r.Attributes[name]; ok && !slices.Contains(strings.Split(value, ","), fmt.Sprint(have)) {
				return false
			}
		}
	}
	return true
}

// pageLinks are the addresses of a list's other pages, with all else that the
// client asked for.
func (c *call) pageLinks(q query, count int) links {
	last := max(1, (count+q.size-1)/q.size)
	at := func(number int) string {
		values := maps.Clone(c.r.URL.Query())
		values["page[number]"] = []string{strconv.Itoa(number)}
		values["page[size]"] = []string{strconv.Itoa(q.size)}
		return c.place.base + c.place.path + "?" + url.Values(values).Encode()
	}
	l := links{"first": at(1), "last": at(last)}
	if q.number < last {
		l["next"] = at(q.number + 1)
	}
	if q.number > 1 {
		l["prev"] = at(min(q.number-1, last))
	}
	return l
}
