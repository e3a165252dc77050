// echo.cpp - a TCP echo server and one client, through csploop/csploop.hpp.
//
//   echo [PORT [CONNECTIONS]]   PORT 0: any. Ends after CONNECTIONS have come and gone; 0: never
//   echo --selftest             talks to itself, then ends

#include <charconv>
#include <csploop/csploop.hpp>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view greeting = "hello through the loop\n";

int number(std::string_view text, int limit) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > limit)
        throw std::invalid_argument("'" + std::string(text) + "' is not a number from 0 to " + std::to_string(limit));
    return value;
}

// Echoes until `connections` have ended; 0: for ever. Returns the address it listens on.
std::string serve(csploop::Loop &loop, int port, int connections) {
    auto handler = [&loop, left = connections](const csploop_record &record) mutable {
        switch (record.kind) {
        case CSPLOOP_KIND_ACCEPT:
            if (record.result < 0)
                throw csploop::Failure(csploop::Error(static_cast<int>(record.result)));
            loop.read_start(static_cast<csploop_id>(record.result)).value();
            break;
        case CSPLOOP_KIND_READ:
            loop.write(record.id, loop.bytes(record)).value();
            break;
        case CSPLOOP_KIND_BACKLOG: // who does not read gets to send no more
            (void)(record.result > 0 ? loop.read_stop(record.id) : loop.read_start(record.id));
            break;
        case CSPLOOP_KIND_EOF:
            loop.close_stream(record.id).value();
            break;
        case CSPLOOP_KIND_ERROR:
            loop.close_stream(record.id, CSPLOOP_CLOSE_ABORT).value();
            break;
        case CSPLOOP_KIND_CLOSED:
            if (left > 0 && --left == 0)
                loop.stop().value();
            break;
        default:
            break;
        }
    };
    const csploop_id listener = loop.tcp_listen("127.0.0.1", port, handler).value();
    char address[128];
    const int length = csploop_stream_local_address(loop.capi(), listener, address, sizeof address);
    if (length < 0)
        throw csploop::Failure(csploop::Error(length));
    return address;
}

// Sends the greeting and collects what comes back; stops the loop when the server has closed.
void greet(csploop::Loop &loop, int port, std::string &answer) {
    auto handler = [&loop, &answer](const csploop_record &record) {
        switch (record.kind) {
        case CSPLOOP_KIND_CONNECT:
            if (record.result < 0)
                throw csploop::Failure(csploop::Error(static_cast<int>(record.result)));
            loop.write(record.id, greeting).value();
            loop.shutdown(record.id).value();
            loop.read_start(record.id).value();
            break;
        case CSPLOOP_KIND_READ:
            answer += loop.bytes(record);
            break;
        case CSPLOOP_KIND_EOF:
        case CSPLOOP_KIND_ERROR:
            loop.close_stream(record.id).value();
            break;
        case CSPLOOP_KIND_CLOSED:
            loop.stop().value();
            break;
        default:
            break;
        }
    };
    loop.tcp_connect("127.0.0.1", port, handler).value();
}

int run(int argc, char **argv) {
    const bool selftest = argc > 1 && std::string_view(argv[1]) == "--selftest";
    const int port = argc > 1 && !selftest ? number(argv[1], 65535) : 0;
    csploop::Loop loop = csploop::Loop::make().value();
    const std::string address = serve(loop, port, argc > 2 ? number(argv[2], 1000000) : 0);
    std::printf("listening on %s\n", address.c_str());
    std::fflush(stdout);

    std::string answer;
    if (selftest)
        greet(loop, number(std::string_view(address).substr(address.rfind(':') + 1), 65535), answer);
    loop.run().value();
    if (!selftest)
        return 0;
    std::printf("sent and got back: %s", answer.c_str());
    return answer == greeting ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "echo: %s\n", error.what());
        return 1;
    }
}
