package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const jsonAPI = "application/vnd.api+json"

// resource is one of JSON:API, as it comes.
type resource struct {
	ID            string          `json:"id"`
	Type          string          `json:"type"`
	Attributes    json.RawMessage `json:"attributes"`
	Relationships map[string]struct {
		Data many[reference] `json:"data"`
	} `json:"relationships"`
}

// input is a resource as it is sent.
type input struct {
	ID            string           `json:"id,omitempty"`
	Type          string           `json:"type"`
	Attributes    map[string]any   `json:"attributes,omitempty"`
	Relationships map[string]toOne `json:"relationships,omitempty"`
}

type toOne struct {
	Data reference `json:"data"`
}

type reference struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// document is an answer.
type document struct {
	Data     many[resource] `json:"data"`
	Included []resource     `json:"included"`
	Meta     struct {
		RecordCount int `json:"record_count"`
	} `json:"meta"`
}

// many are none, one or several: JSON:API has null, an object or a list.
type many[T any] []T

func (m *many[T]) UnmarshalJSON(b []byte) error {
	*m = nil
	switch {
	case bytes.Equal(b, []byte("null")):
		return nil
	case len(b) > 0 && b[0] == '[':
		return json.Unmarshal(b, (*[]T)(m))
	}
	var one T
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	*m = many[T]{one}
	return nil
}

// attributes reads those of a resource.
func attributes[T any](r resource) (T, error) {
	var a T
	if err := json.Unmarshal(r.Attributes, &a); err != nil {
		return a, fmt.Errorf("%w: attributes of %s: %w", errUnreadable, r.Type, err)
	}
	return a, nil
}

// included returns those that the answer includes of what r is related to.
func (d document) included(r resource, name string) []resource {
	var list []resource
	for _, ref := range r.Relationships[name].Data {
		for _, other := range d.Included {
			if other.ID == ref.ID && other.Type == ref.Type {
				list = append(list, other)
			}
		}
	}
	return list
}

// refusal is an answer that is no success.
type refusal struct {
	status int
	code   string // the API's, as far as it is known
}

// badToken is the code of an answer about the token itself.
const badToken = "INVALID_TOKEN"

func refused(status int, body []byte) *refusal {
	var doc struct {
		Errors many[struct{ Code string }] `json:"errors"`
	}
	r := &refusal{status: status}
	if json.Unmarshal(body, &doc) == nil && len(doc.Errors) > 0 && doc.Errors[0].Code == badToken {
		r.code = badToken
	}
	return r
}

func (r *refusal) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the API answered %d %s", r.status, r.code))
}

// refusedWith reports whether err is the API's answer of that status.
func refusedWith(err error, status int) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.status == status
}

// get asks the market's API for something, on the visitor's behalf.
func (m *market) get(ctx context.Context, path string) (document, error) {
	return m.call(ctx, m.client, http.MethodGet, path, nil)
}

// send has the market's API make, change or remove something, on the visitor's
// behalf.
func (m *market) send(ctx context.Context, method, path string, in *input) (document, error) {
	return m.call(ctx, m.client, method, path, in)
}

// call is one call of the market's API. Its errors name no address, in which the
// id of an order may be.
func (m *market) call(ctx context.Context, client *http.Client, method, path string, in *input) (document, error) {
	var out document
	base, err := m.api(ctx)
	if err != nil {
		return out, err
	}
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(map[string]*input{"data": in})
		if err != nil {
			return out, err
		}
		body = bytes.NewReader(b) // can be had again, should the call be replayed
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, body)
	if err != nil {
		return out, errors.New("the API's address is none")
	}
	req.Header.Set("Accept", jsonAPI)
	if in != nil {
		req.Header.Set("Content-Type", jsonAPI)
	}
	resp, err := client.Do(req)
	if t := traceOf(ctx); t != nil {
		t.used(m.authorization(ctx, client))
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	switch {
	case err != nil:
		return out, err
	case resp.StatusCode/100 != 2:
		return out, refused(resp.StatusCode, b)
	case resp.StatusCode == http.StatusNoContent:
		return out, nil
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return out, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return out, nil
}
