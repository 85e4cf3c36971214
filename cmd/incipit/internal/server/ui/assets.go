package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// The scripts, styles and pictures of the pages: our own, and copies of other
// projects' as scripts/vendor-js took them, with their licenses.
//
//go:embed assets/*.css assets/*.js assets/*.svg
//go:embed vendor/*/*.js vendor/*/*.css vendor/*/LICENSE
var assetFiles embed.FS

// assets are the files as they are sent. Their paths hold a hash of all of
// them, so a browser keeps them until the program changes.
type assets struct {
	digest string
	files  map[string]asset // by base name
}

type asset struct {
	kind         string // its media type
	plain, small []byte // small is compressed by gzip
}

// AssetPath is where the assets belong in the map of routes.
const AssetPath = "/assets/{digest}/{file}"

func loadAssets() (*assets, error) {
	kinds := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
	out, sum := &assets{files: make(map[string]asset)}, sha256.New()
	err := fs.WalkDir(assetFiles, ".", func(name string, d fs.DirEntry, err error) error {
		kind, sent := kinds[path.Ext(name)]
		if err != nil || d.IsDir() || !sent {
			return err
		}
		text, err := assetFiles.ReadFile(name)
		if err != nil {
			return err
		}
		if _, twice := out.files[path.Base(name)]; twice {
			return fmt.Errorf("there are two %s", path.Base(name))
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text)
		out.files[path.Base(name)] = asset{kind, text, compressed(text)}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ui: %w", err)
	}
	out.digest = hex.EncodeToString(sum.Sum(nil)[:8])
	return out, nil
}

func compressed(text []byte) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		if _, err = z.Write(text); err == nil {
			err = z.Close()
		}
	}
	if err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

// path is where a page finds an asset.
func (a *assets) path(name string) (string, error) {
	if _, ok := a.files[name]; !ok {
		return "", fmt.Errorf("there is no asset %q", name)
	}
	return "/assets/" + a.digest + "/" + name, nil
}

// Asset answers with a file. It reports false if there is none: one of another
// program's version is none, too, so that nobody keeps ours under its name.
func (u *UI) Asset(w http.ResponseWriter, r *http.Request) bool {
	f, ok := u.assets.files[r.PathValue("file")]
	if !ok || r.PathValue("digest") != u.assets.digest {
		return false
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := f.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.small
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // whoever does not read it is gone
	return true
}
