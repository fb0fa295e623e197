// A Go server on gobwas/ws and one epoll loop, without a goroutine for each connection: `echo` sends
// each message back, `fanout` writes to each connection that said `sub`.
package main

import (
	"fmt"
	"net"
	"os"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"golang.org/x/sys/unix"
)

type client struct {
	net.Conn
	fd         int
	subscribed bool
}

type server struct {
	fanout  bool
	epoll   int
	clients []*client // by descriptor
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func descriptor(conn net.Conn) int {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	check(err)
	number := -1
	check(raw.Control(func(fd uintptr) { number = int(fd) }))
	return number
}

func (s *server) accept(conn net.Conn) {
	if _, err := ws.Upgrade(conn); err != nil {
		conn.Close()
		return
	}
	one := &client{Conn: conn, fd: descriptor(conn)}
	for len(s.clients) <= one.fd {
		s.clients = append(s.clients, nil)
	}
	s.clients[one.fd] = one
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(one.fd)}
	check(unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, one.fd, &event))
}

func (s *server) drop(one *client) {
	s.clients[one.fd] = nil
	_ = unix.EpollCtl(s.epoll, unix.EPOLL_CTL_DEL, one.fd, nil)
	one.Close()
}

func (s *server) read(one *client) {
	message, op, err := wsutil.ReadClientData(one)
	if err != nil {
		s.drop(one)
		return
	}
	if !s.fanout {
		_ = wsutil.WriteServerMessage(one, op, message)
		return
	}
	if text := string(message); text == "sub" || text == "pub" {
		one.subscribed = text == "sub"
		_ = wsutil.WriteServerMessage(one, op, []byte("ok"))
		return
	}
	frame, err := ws.CompileFrame(ws.NewFrame(op, true, message)) // framed once, for everybody
	check(err)
	for _, other := range s.clients {
		if other != nil && other.subscribed {
			_, _ = other.Write(frame)
		}
	}
}

func (s *server) run(accepted <-chan net.Conn, doorbell int) {
	events := make([]unix.EpollEvent, 512)
	for {
		count, err := unix.EpollWait(s.epoll, events, -1)
		if err == unix.EINTR {
			continue
		}
		check(err)
		for _, event := range events[:count] {
			fd := int(event.Fd)
			if fd == doorbell {
				_, _ = unix.Read(doorbell, make([]byte, 8))
				for more := true; more; {
					select {
					case conn := <-accepted:
						s.accept(conn)
					default:
						more = false
					}
				}
			} else if s.clients[fd] != nil {
				s.read(s.clients[fd])
			}
		}
	}
}

func main() {
	epoll, err := unix.EpollCreate1(0)
	check(err)
	doorbell, err := unix.Eventfd(0, unix.EFD_NONBLOCK)
	check(err)
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(doorbell)}
	check(unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, doorbell, &event))
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[2])
	check(err)
	accepted := make(chan net.Conn, 1024)
	go func() {
		for {
			conn, err := listener.Accept()
			check(err)
			accepted <- conn
			_, err = unix.Write(doorbell, []byte{1, 0, 0, 0, 0, 0, 0, 0})
			check(err)
		}
	}()
	fmt.Printf("ready %s\n", listener.Addr())
	(&server{fanout: os.Args[1] == "fanout", epoll: epoll}).run(accepted, doorbell)
}
