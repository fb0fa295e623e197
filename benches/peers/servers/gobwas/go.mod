module hivewire/benches/peers/gobwas

go 1.25.0

require (
	github.com/gobwas/ws v1.4.0
	golang.org/x/sys v0.36.0
)

require (
	github.com/gobwas/httphead v0.1.0 // indirect
	github.com/gobwas/pool v0.2.1 // indirect
)
