// A service worker for Web Push of hivewire (docs/push.md): shows messages, takes back what was read.

self.addEventListener("push", (event) => {
  const push = event.data.json();
  event.waitUntil(push.type === "clear" ? clear(push) : show(push));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow("/"));
});

// One notification a conversation: a newer message replaces the older one.
function show(push) {
  return self.registration.showNotification(push.from, {
    body: push.text ?? "New message",
    tag: push.conv,
    data: { conv: push.conv, n: push.n },
  });
}

async function clear(push) {
  for (const shown of await self.registration.getNotifications({ tag: push.conv })) {
    if (shown.data.n <= push.n) shown.close();
  }
}
