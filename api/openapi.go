package api

import _ "embed"

//go:embed openapi.json
var openAPI []byte

// OpenAPI returns a copy of the OpenAPI 3.1 document of the local API, as the
// daemon serves it at GET /v1/openapi.json.
func OpenAPI() []byte { return append([]byte(nil), openAPI...) }
