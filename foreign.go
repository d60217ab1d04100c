package bearer

import "errors"

// look returns what find finds in an error that others have made. Such a one may be a nil
// pointer, or panic when it is looked into: then there is nothing.
func look[T any](find func() T) (found T) {
	defer func() {
		if recover() != nil {
			found = *new(T)
		}
	}()
	return find()
}

// is is errors.Is for an error that others have made.
func is(err, target error) bool { return look(func() bool { return errors.Is(err, target) }) }

// as is errors.AsType for an error that others have made, of which it returns the zero E
// if there is none.
func as[E error](err error) E {
	return look(func() E {
		found, _ := errors.AsType[E](err)
		return found
	})
}
