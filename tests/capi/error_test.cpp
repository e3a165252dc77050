// The one list of errors, and the versions.
#include <csploop.h>
#include <cstdio>
#include <cstring>
#include <gtest/gtest.h>
#include <set>
#include <string>

namespace {

struct Listed {
    const char *name;
    int value;
    const char *text;
};
const Listed listed[] = {
#define XX(name, value, text) {#name, value, text},
    CSPLOOP_ERROR_MAP(XX)
#undef XX
};

} // namespace

TEST(Error, EachCodeHasItsNameAndText) {
    for (const Listed &error : listed) {
        EXPECT_STREQ(csploop_error_name(error.value), error.name);
        EXPECT_STREQ(csploop_strerror(error.value), error.text);
        EXPECT_LT(error.value, 0) << error.name;
    }
}

TEST(Error, NoTwoCodesShareAValueOrAText) {
    std::set<int> values;
    std::set<std::string> texts;
    for (const Listed &error : listed) {
        EXPECT_TRUE(values.insert(error.value).second) << error.name;
        EXPECT_TRUE(texts.insert(error.text).second) << error.name;
    }
}

TEST(Error, CodesOfTheSystemOutsideTheListGetTheSystemsText) {
    ASSERT_STREQ(csploop_error_name(-EXDEV), "EUNKNOWN");
    EXPECT_STREQ(csploop_strerror(-EXDEV), std::strerror(EXDEV));
}

TEST(Error, AnyNumberHasAText) {
    for (int code : {0, 1, 12345, -99999, -10000, -10006, INT32_MIN, INT32_MAX}) {
        ASSERT_NE(csploop_strerror(code), nullptr) << code;
        EXPECT_GT(std::strlen(csploop_strerror(code)), 0u) << code;
        ASSERT_NE(csploop_error_name(code), nullptr) << code;
        EXPECT_GT(std::strlen(csploop_error_name(code)), 0u) << code;
    }
}

TEST(Version, NumberTextAndHeaderAgree) {
    EXPECT_EQ(csploop_version(),
              CSPLOOP_VERSION_MAJOR * 1000000 + CSPLOOP_VERSION_MINOR * 1000 + CSPLOOP_VERSION_PATCH);
    char text[64];
    std::snprintf(text, sizeof text, "%d.%d.%d", CSPLOOP_VERSION_MAJOR, CSPLOOP_VERSION_MINOR, CSPLOOP_VERSION_PATCH);
    EXPECT_STREQ(csploop_version_string(), text);
}
