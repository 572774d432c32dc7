// A notification was pressed: the page that is open comes to the front, else the overview is opened.
self.addEventListener("notificationclick", function (event) {
  "use strict";
  event.notification.close();
  event.waitUntil(
    self.clients.matchAll({ type: "window", includeUncontrolled: true }).then(function (pages) {
      return pages.length ? pages[0].focus() : self.clients.openWindow("/");
    }),
  );
});
