package conf

import (
	"fmt"
	"reflect"
)

// Merge lays over on top of into; both are pointers to the same struct type.
// What is written in over replaces; structs merge key by key unless they are
// [Whole], and a [Map] merges by its keys. Lists replace. A plain string, bool
// or int counts as written when it is not zero.
//
// Merge writes to *into alone, never through its pointers and slices, so a
// shallow copy of shared defaults may be merged into. Afterwards into may share
// memory with over: treat both as immutable but for further merges.
func Merge(into, over any) { NewDecoder().Merge(into, over) }

// Merge is [Merge] with the declarations that d already knows.
func (d *Decoder) Merge(into, over any) {
	to, from := reflect.ValueOf(into), reflect.ValueOf(over)
	if to.Type() != from.Type() || to.Kind() != reflect.Pointer {
		panic(fmt.Sprintf("conf: cannot merge a %T into a %T", over, into))
	}
	merge(d.planOf(into), to.Elem(), from.Elem())
}

func merge(p *plan, into, over reflect.Value) {
	if !isSet(p, over) {
		return
	}
	switch {
	case p.kind == kindStruct && !p.whole:
		for _, index := range p.pos {
			into.FieldByIndex(index).Set(over.FieldByIndex(index))
		}
		for _, f := range p.fields {
			merge(f.plan, into.FieldByIndex(f.index), over.FieldByIndex(f.index))
		}
	case p.kind == kindPointer && !into.IsNil() && !p.elem.whole:
		merged := reflect.New(p.elem.typ)
		merged.Elem().Set(into.Elem())
		merge(p.elem, merged.Elem(), over.Elem())
		into.Set(merged)
	case p.kind == kindMap:
		mergeEntries(p, into, over)
	default:
		into.Set(over)
	}
}

// mergeEntries keeps the order of into and appends the new keys of over.
func mergeEntries(p *plan, into, over reflect.Value) {
	merged := reflect.MakeSlice(p.typ, into.Len(), into.Len()+over.Len())
	reflect.Copy(merged, into)
	byKey := make(map[string]int, into.Len())
	for i := range into.Len() {
		byKey[into.Index(i).Field(0).String()] = i
	}
	for i := range over.Len() {
		entry := over.Index(i)
		at, ok := byKey[entry.Field(0).String()]
		if !ok {
			merged = reflect.Append(merged, entry)
			continue
		}
		merged.Index(at).Field(1).Set(entry.Field(1))
		merge(p.elem, merged.Index(at).Field(2), entry.Field(2))
	}
	into.Set(merged)
}

// isSet reports whether v holds anything that was written.
func isSet(p *plan, v reflect.Value) bool {
	switch p.kind {
	case kindAt, kindList, kindOneOrMany:
		return !v.Field(1).Addr().Interface().(*Pos).IsZero()
	case kindStruct:
		for _, f := range p.fields {
			if isSet(f.plan, v.FieldByIndex(f.index)) {
				return true
			}
		}
		return false
	case kindMap:
		return v.Len() > 0
	}
	return !v.IsZero()
}
