package gitrepo

import (
	"testing"
	"time"
)

func TestParseStatus(t *testing.T) {
	tests := []struct {
		name, entry string
		want        FileStatus
	}{
		{"an untracked file", "? prompts/a b.txt", FileStatus{Path: "prompts/a b.txt", State: Untracked}},
		{"a changed file", "1 .M N... 100644 100644 100755 aaaa bbbb prompts/a b", FileStatus{Path: "prompts/a b", Mode: "100755"}},
		{"an added file", "1 A. N... 000000 100644 100644 0000 bbbb x", FileStatus{Path: "x", State: Added, Mode: "100644"}},
		{"a deleted file", "1 .D N... 100644 100644 000000 aaaa bbbb x", FileStatus{Path: "x", Mode: "000000"}},
		{"a conflict", "u UU N... 100644 100644 100644 100644 a b c x y", FileStatus{Path: "x y", State: Conflicted}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := parseStatus(tt.entry); !ok || got != tt.want {
				t.Errorf("got %+v, %t, want %+v", got, ok, tt.want)
			}
		})
	}
}

func TestParseTagLeavesTheSignatureOut(t *testing.T) {
	got := ParseTag([]byte("object abc\ntype commit\ntag a@1.0.0\ntagger A B <a@b> 1700000000 +0100\n\nfix(a): x\n\nPrompt: a\n-----BEGIN SSH SIGNATURE-----\nxyz\n-----END SSH SIGNATURE-----\n"))
	want := TagObject{Target: "abc", Type: "commit", Name: "a@1.0.0", Tagger: Signature{"A B", "a@b", time.Unix(1_700_000_000, 0).UTC()}, Message: "fix(a): x\n\nPrompt: a\n"}
	if got != want {
		t.Errorf("got %+v", got)
	}
}

func TestParseTagKeepsWhatAMessageSaysOfSignatures(t *testing.T) {
	const message = "fix(a): drop -----BEGIN PGP SIGNATURE----- from it\n\n-----BEGIN PGP SIGNATURE-----\n\nPrompt: a\n"
	if got := ParseTag([]byte("object abc\n\n" + message)); got.Message != message {
		t.Errorf("got %q", got.Message)
	}
}

func TestRevisionsThatAreOptionsAreRefused(t *testing.T) {
	for _, rev := range []string{"", "-x", "--upload-pack=x", "a\nb", "a\x00b", "a\r"} {
		if checkRev(rev) == nil {
			t.Errorf("%q passed", rev)
		}
	}
}

func FuzzParseTag(f *testing.F) {
	f.Add([]byte("object a\ntagger A <a> 1 +0\n\nm"))
	f.Fuzz(func(_ *testing.T, data []byte) { ParseTag(data) })
}

func FuzzTreeEntries(f *testing.F) {
	f.Add("a1b2", []byte("100644 a\x00xx"))
	f.Fuzz(func(t *testing.T, id string, data []byte) {
		es, err := treeEntries(Object{ID: id, Type: "tree", Data: data})
		if err == nil && len(id) >= 2 && len(es) > len(data) {
			t.Errorf("%d entries in %d bytes", len(es), len(data))
		}
	})
}
