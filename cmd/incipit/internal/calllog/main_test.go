package calllog

import (
	"os"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
