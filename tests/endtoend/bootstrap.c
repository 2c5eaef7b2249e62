/* A runtime in C, on plain sockets: it answers every event with the event itself. `{"crash"...` ends it by a signal. */

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static int dial(void) {
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    char host[64] = {0};
    const char *colon = strrchr(api, ':');
    memcpy(host, api, (size_t)(colon - api));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(colon + 1))};
    inet_pton(AF_INET, host, &address.sin_addr);
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("connect");
        exit(1);
    }
    return connection;
}

/* Reads one answer: its head ends in a NUL, its body is returned. */
static char *receive(int connection, char *buffer, size_t size) {
    size_t have = 0;
    for (;;) {
        ssize_t count = read(connection, buffer + have, size - have - 1);
        if (count <= 0)
            exit(1);
        have += (size_t)count;
        buffer[have] = 0;
        char *end = strstr(buffer, "\r\n\r\n");
        if (!end)
            continue;
        char *length = strcasestr(buffer, "\r\ncontent-length:");
        size_t wanted = length && length < end ? (size_t)atol(length + 17) : 0;
        if (have - (size_t)(end + 4 - buffer) >= wanted) {
            *end = 0;
            return end + 4;
        }
    }
}

int main(void) {
    static char buffer[1 << 16], request[1 << 17];
    int connection = dial();
    for (;;) {
        const char *next = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: runtime\r\n\r\n";
        if (write(connection, next, strlen(next)) < 0)
            return 1;
        char *event = receive(connection, buffer, sizeof buffer);
        char *id = strcasestr(buffer, "\r\nlambda-runtime-aws-request-id:") + 32;
        while (*id == ' ')
            id++;
        id[36] = 0;
        printf("event of %zu bytes\n", strlen(event));
        fflush(stdout);
        if (strncmp(event, "{\"crash\"", 8) == 0)
            raise(SIGSEGV);
        int size = snprintf(request, sizeof request,
                            "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: runtime\r\n"
                            "Content-Length: %zu\r\n\r\n%s",
                            id, strlen(event), event);
        if (write(connection, request, (size_t)size) < 0)
            return 1;
        receive(connection, buffer, sizeof buffer);
    }
}
