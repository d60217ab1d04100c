package commercelayertest

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// sortable are the fields that a list of any type can be sorted by, as far as
// the service can; a [resourceKind] has those of one type.
var sortable = []string{"id", "created_at", "updated_at", "reference", "reference_origin"}

// criterion is one field of the sort parameter.
type criterion struct {
	field      string
	descending bool
}

// criteria reads the sort parameter for a list of that type.
func (q query) criteria(resourceType string, kind resourceKind) ([]criterion, *problem) {
	if q.sort == "" {
		return nil, nil
	}
	fields := slices.Concat(sortable, kind.sortable)
	var list []criterion
	for item := range strings.SplitSeq(q.sort, ",") {
		field, descending := strings.CutPrefix(item, "-")
		if !slices.Contains(fields, field) {
			return nil, &problem{
				status: http.StatusBadRequest, title: "Invalid sort criteria", code: "INVALID_SORT_CRITERIA",
				detail: "Sort " + resourceType + " by " + strings.Join(fields, ", ") + "; a minus before a field turns its order round.",
			}
		}
		list = append(list, criterion{field, descending})
	}
	return list, nil
}

// arrange puts a list into the order of the criteria. What they leave equal is
// in the order in which it was made, or the other way round if the last of them
// is descending: newest first stays newest first within a millisecond.
func arrange(list []resource, by []criterion) {
	if len(by) == 0 {
		return
	}
	if by[len(by)-1].descending {
		slices.Reverse(list)
	}
	slices.SortStableFunc(list, func(a, b resource) int {
		for _, c := range by {
			order := compareValues(a.value(c.field), b.value(c.field))
			if c.descending {
				order = -order
			}
			if order != 0 {
				return order
			}
		}
		return 0
	})
}

func (r resource) value(field string) any {
	if field == "id" {
		return r.ID
	}
	return r.Attributes[field]
}

// compareValues puts null last, as databases do. Numbers are compared as such,
// all else by its text: times are written so that this is their order too.
func compareValues(a, b any) int {
	if a == nil || b == nil {
		switch {
		case a == b:
			return 0
		case a == nil:
			return 1
		}
		return -1
	}
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b))
}
