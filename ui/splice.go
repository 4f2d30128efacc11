package ui

import (
	"bytes"
	"encoding/json"
)

// replaceMember returns the object raw with the value of a member replaced; raw itself when it has
// no such member. It keeps the bytes of everything else, also of fields this version does not know.
func replaceMember(raw []byte, name string, value []byte) []byte {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return raw
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return raw
		}
		var old json.RawMessage
		if err := dec.Decode(&old); err != nil {
			return raw
		}
		if key == name {
			end := dec.InputOffset()
			start := end - int64(len(old))
			out := make([]byte, 0, len(raw)+len(value))
			out = append(out, raw[:start]...)
			out = append(out, value...)
			return append(out, raw[end:]...)
		}
	}
	return raw
}

// addMembers returns the object raw with more members ("name":value, …) at its end.
func addMembers(raw, members []byte) []byte {
	end := bytes.LastIndexByte(raw, '}')
	if end < 0 {
		return raw
	}
	out := make([]byte, 0, len(raw)+len(members)+1)
	out = append(out, raw[:end]...)
	if head := bytes.TrimRight(raw[:end], " \t\r\n"); len(head) > 0 && head[len(head)-1] != '{' {
		out = append(out, ',')
	}
	out = append(out, members...)
	return append(out, raw[end:]...)
}

// withEvidence gives causes without evidence an empty list of it.
func withEvidence(causes []byte) []byte {
	var list []json.RawMessage
	if json.Unmarshal(causes, &list) != nil {
		return []byte("[]")
	}
	for i, c := range list {
		var has struct {
			Evidence json.RawMessage `json:"evidence"`
		}
		if json.Unmarshal(c, &has) == nil && has.Evidence == nil {
			list[i] = addMembers(c, []byte(`"evidence":[]`))
		}
	}
	// Every part was decoded just now.
	out, _ := json.Marshal(list)
	return out
}
