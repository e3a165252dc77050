#include <csploop/csploop.hpp>
#include <iostream>

using namespace std::chrono_literals;

int main() {
    csploop::Loop loop = csploop::Loop::make().value(); // value() throws if there is an error instead
    auto hello = [&](const csploop_record &) {
        std::cout << "10 ms later\n";
        loop.stop().value();
    };
    loop.call_later(10ms, hello).value();
    loop.run().value();
}
