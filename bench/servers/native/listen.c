#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void must(int fine, const char *what) {
    if (fine)
        return;
    fprintf(stderr, "%s failed: %s\n", what, strerror(errno));
    exit(1);
}

static int listen_unix(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    must(strlen(path) < sizeof address.sun_path, "a path that short");
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    must(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    return fd;
}

static int listen_tcp(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP), on = 1;
    must(fd >= 0, "socket");
    must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
    must(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    return fd;
}

int listen_as_told(int argc, char **argv) {
    const char *path = NULL;
    unsigned limit = 300; /* a server that nobody ended ends by itself */
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--unix") == 0)
            path = argv[i + 1];
        else if (strcmp(argv[i], "--limit") == 0)
            limit = (unsigned)atoi(argv[i + 1]);
    }
    alarm(limit);
    int fd = path ? listen_unix(path) : listen_tcp();
    must(listen(fd, 512) == 0, "listen");
    return fd;
}

void say_ready(int fd) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    must(getsockname(fd, (struct sockaddr *)&address, &length) == 0, "getsockname");
    if (address.ss_family == AF_INET)
        printf("READY %d\n", ntohs(((struct sockaddr_in *)&address)->sin_port));
    else
        printf("READY unix\n");
    fflush(stdout);
}
