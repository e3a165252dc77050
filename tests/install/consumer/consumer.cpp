// The same through the C++ owners: a callable with a capture, from another thread, ends the run.
#include <csploop/csploop.hpp>
#include <iostream>
#include <thread>

int main() {
    try {
        csploop::Loop loop = csploop::Loop::make().value();
        int arrived = 0;
        std::thread producer([&] {
            loop.post([&](const csploop_record &) {
                    ++arrived;
                    loop.stop().value();
                })
                .value();
        });
        const auto ran = loop.run();
        producer.join();
        ran.value();
        if (arrived != 1) {
            std::cerr << "the post arrived " << arrived << " times\n";
            return 1;
        }
    } catch (const csploop::Failure &failure) {
        std::cerr << failure.error().name() << ": " << failure.what() << '\n';
        return 1;
    }
    std::cout << "csploop " << csploop_version_string() << '\n';
    return 0;
}
