/* Every loss through the C interface, compiled as C: its gradient must be that of its value.
   every_loss.h comes from the build. */
#include <math.h>
#include <nearfar/nearfar.h>
#include <stdio.h>
#include <string.h>

enum { N = 12, D = 5, STEPS = 2, LENGTH = 4 };

typedef enum form {
  ONE_SET,
  TWO_SETS,
  WITH_CONSTANTS,
  PAIRS,
  SCORED,
  SCORED_TRIPLETS,
  THREE_SETS,
  NEGATIVES,
  LABELLED,
  REFERENCES,
  PREDICTIONS,
  TOKENS,
  PROXIES
} form;

/* Rows of a call: x, y and z have as many elements, whatever their shape. */
typedef struct inputs {
  double rows[3][N * D];
} inputs;

static int failures = 0;

static void fail(const char* what, const char* why) {
  printf("%s: %s\n", what, why);
  ++failures;
}

static double constant_rows[N * D];

/* Fixed numbers in [-1, 1). */
static double next(uint64_t* state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (double)(*state >> 11) / 4503599627370496.0 - 1;
}

/* Calls a loss: its value, and where d is given its gradients. */
static nearfar_status call(const nearfar_loss* loss, form how, const inputs* in, inputs* d,
                           double* value) {
  static const int64_t labels[N] = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 3, 3};
  static const int64_t same[N] = {1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1};
  static const double log_noise[N] = {-2, -1, -3, -2, -1, -2, -3, -2, -1, -2, -3, -2};
  static const double scores[N] = {0.5, 0.1, 0.3, 0.1, 0.9, 0.7, 0.3, 0.2, 0.8, 0.4, 0.6, 0.5};
  const int is_cpc = strcmp(nearfar_loss_name(loss), "Cpc") == 0;
  /* DistillKl: queries with two candidates each. */
  const int is_list = strcmp(nearfar_loss_name(loss), "DistillKl") == 0;
  const nearfar_rows numbers = nearfar_double_rows(scores, N, 1);
  nearfar_rows x = nearfar_double_rows(in->rows[0], is_list ? N / 2 : N, D);
  nearfar_rows y = nearfar_double_rows(in->rows[1], N, D);
  /* Cpc: a matrix D x D a step. */
  nearfar_rows z = nearfar_double_rows(in->rows[2], is_cpc ? STEPS * D : N, D);
  nearfar_gradient dx = {0}, dy = {0}, dz = {0};
  const nearfar_integers match = {same, N};
  static const int64_t query_offsets[] = {0, 2, 5, 6, N};
  static const int64_t document_offsets[] = {0, 1, 4, 6, 10, N};
  const nearfar_integers of_queries = {query_offsets, 5};
  const nearfar_integers of_documents = {document_offsets, 6};
  const nearfar_rows constants = nearfar_double_rows(constant_rows, N, D);
  const nearfar_targets targets = nearfar_targets_of_labels(labels, N);
  const nearfar_integers integers = {labels, N};
  nearfar_negatives negatives;
  nearfar_proxies proxies;
  nearfar_result result;
  nearfar_status status = NEARFAR_INTERNAL;

  if (d != NULL) {
    dx = nearfar_double_gradient(d->rows[0], x.rows, D);
    dy = nearfar_double_gradient(d->rows[1], y.rows, D);
    dz = nearfar_double_gradient(d->rows[2], z.rows, D);
  }
  nearfar_result_init(&result, sizeof result);
  nearfar_negatives_init(&negatives, sizeof negatives);
  negatives.rows = z;
  nearfar_proxies_init(&proxies, sizeof proxies);
  proxies.rows = y;
  if (strcmp(nearfar_loss_name(loss), "Nce") == 0) {
    negatives.log_noise_keys = nearfar_double_rows(log_noise, N, 1);
    negatives.log_noise_negatives = nearfar_double_rows(log_noise, N, 1);
  }

  switch (how) {
    case ONE_SET:
      status = d == NULL ? nearfar_one_set_forward(loss, &x, NULL, &result)
                         : nearfar_one_set_forward_backward(loss, &x, &dx, NULL, &result);
      break;
    case TWO_SETS:
    case PAIRS: {
      const nearfar_integers* given = how == PAIRS ? &match : NULL;
      status = d == NULL ? nearfar_two_sets_forward(loss, &x, &y, given, NULL, &result)
                         : nearfar_two_sets_forward_backward(loss, &x, &y, given, &dx, &dy, NULL,
                                                             &result);
      break;
    }
    case SCORED:
      status = d == NULL ? nearfar_scored_forward(loss, &x, &y, &numbers, NULL, &result)
                         : nearfar_scored_forward_backward(loss, &x, &y, &numbers, &dx, &dy, NULL,
                                                           &result);
      break;
    case SCORED_TRIPLETS:
      status = d == NULL
                   ? nearfar_scored_triplets_forward(loss, &x, &y, &z, &numbers, NULL, &result)
                   : nearfar_scored_triplets_forward_backward(loss, &x, &y, &z, &numbers, &dx, &dy,
                                                              &dz, NULL, &result);
      break;
    case WITH_CONSTANTS:
      status = d == NULL ? nearfar_two_sets_forward(loss, &x, &constants, NULL, NULL, &result)
                         : nearfar_two_sets_forward_backward(loss, &x, &constants, NULL, &dx, NULL,
                                                             NULL, &result);
      break;
    case PREDICTIONS:
      status = d == NULL ? nearfar_predictions_forward(loss, &x, &y, &constants, &constants, NULL,
                                                       &result)
                         : nearfar_predictions_forward_backward(
                               loss, &x, &y, &constants, &constants, &dx, &dy, NULL, &result);
      break;
    case TOKENS:
      status = d == NULL
                   ? nearfar_tokens_forward(loss, &x, &of_queries, &y, &of_documents, NULL, &result)
                   : nearfar_tokens_forward_backward(loss, &x, &of_queries, &y, &of_documents, &dx,
                                                     &dy, NULL, &result);
      break;
    case THREE_SETS:
      status = d == NULL ? nearfar_three_sets_forward(loss, &x, &y, &z, NULL, &result)
                         : nearfar_three_sets_forward_backward(loss, &x, &y, &z, &dx, &dy, &dz,
                                                               NULL, &result);
      break;
    case NEGATIVES:
      status = d == NULL ? nearfar_negatives_forward(loss, &x, &y, &negatives, NULL, &result)
                         : nearfar_negatives_forward_backward(loss, &x, &y, &negatives, &dx, &dy,
                                                              &dz, NULL, &result);
      break;
    case LABELLED:
      status = d == NULL
                   ? nearfar_labelled_forward(loss, &x, &targets, NULL, &result)
                   : nearfar_labelled_forward_backward(loss, &x, &targets, &dx, NULL, &result);
      break;
    case REFERENCES:
      status = d == NULL
                   ? nearfar_references_forward(loss, &x, &targets, &y, &targets, NULL, &result)
                   : nearfar_references_forward_backward(loss, &x, &targets, &y, &targets, &dx, &dy,
                                                         NULL, &result);
      break;
    case PROXIES:
      status = d == NULL ? nearfar_proxies_forward(loss, &x, &integers, &proxies, NULL, &result)
                         : nearfar_proxies_forward_backward(loss, &x, &integers, &proxies, &dx, &dy,
                                                            NULL, &result);
      break;
  }
  *value = result.value;
  return status;
}

static double run(const nearfar_loss* loss, form how, const inputs* in, inputs* d) {
  double value = 0;
  if (call(loss, how, in, d, &value) != NEARFAR_OK) {
    fail(nearfar_loss_name(loss), nearfar_last_error());
  }
  return value;
}

/* Whether a loss has a form: one that it lacks, or that it has for ids alone, is refused in these
   words. */
static int has(const nearfar_loss* loss, form how, const inputs* in) {
  double value;
  /* Slices have no gradient. */
  if (how == TWO_SETS && strcmp(nearfar_loss_name(loss), "SigReg") == 0) return 0;
  if (call(loss, how, in, NULL, &value) == NEARFAR_OK) return 1;
  return strstr(nearfar_last_error(), "loss: wanted one that compares") == NULL &&
         strstr(nearfar_last_error(), "match: wanted") == NULL &&
         strstr(nearfar_last_error(), "wanted ids alone") == NULL;
}

/* Whether the loss has the form, which then is checked. */
static int check_form(const nearfar_loss* loss, form how) {
  const double h = 1e-6;
  inputs in, direction, d, ahead, behind;
  uint64_t state = 7;
  double value, slope = 0, difference;
  memset(&d, 0, sizeof d);
  for (int set = 0; set < 3; ++set) {
    for (int k = 0; k < N * D; ++k) {
      in.rows[set][k] = next(&state);
      direction.rows[set][k] = next(&state);
      ahead.rows[set][k] = in.rows[set][k] + h * direction.rows[set][k];
      behind.rows[set][k] = in.rows[set][k] - h * direction.rows[set][k];
    }
  }
  if (!has(loss, how, &in)) return 0;
  value = run(loss, how, &in, &d);
  if (value != run(loss, how, &in, NULL)) {
    fail(nearfar_loss_name(loss), "forward and forward_backward differ in value");
  }
  for (int set = 0; set < 3; ++set) {
    for (int k = 0; k < N * D; ++k) slope += d.rows[set][k] * direction.rows[set][k];
  }
  difference = (run(loss, how, &ahead, NULL) - run(loss, how, &behind, NULL)) / (2 * h);
  if (!(fabs(slope) > 1e-4) || !(fabs(slope - difference) <= 1e-6 * (1 + fabs(slope)))) {
    printf("%s, form %d: gradient %.12g, difference %.12g\n", nearfar_loss_name(loss), (int)how,
           slope, difference);
    ++failures;
  }
  return 1;
}

/* Settings without which a loss has no gradient that is its value's, or no value. */
static void set(const char* name, void* options) {
  if (strcmp(name, "circle") == 0) {
    nearfar_circle_options* circle = options;
    circle->weights = NEARFAR_CIRCLE_DIFFERENTIATED;
    circle->gamma = 8;
  } else if (strcmp(name, "cpc") == 0) {
    nearfar_cpc_options* cpc = options;
    cpc->length = LENGTH;
    cpc->steps = STEPS;
  } else if (strcmp(name, "dclw") == 0) {
    nearfar_dclw_options* dclw = options;
    dclw->sigma = 1e9;
  } else if (strcmp(name, "matryoshka_info_nce") == 0) {
    static const int64_t prefixes[] = {2, D};
    nearfar_matryoshka_info_nce_options* matryoshka = options;
    matryoshka->prefixes.data = prefixes;
    matryoshka->prefixes.count = 2;
  } else if (strcmp(name, "ranked_list") == 0) {
    nearfar_ranked_list_options* ranked_list = options;
    ranked_list->t_n = 0;
  } else if (strcmp(name, "soft_triple") == 0) {
    nearfar_soft_triple_options* soft_triple = options;
    soft_triple->centers_per_class = 3; /* N rows are proxies of four classes */
  }
}

/* Takes the loss that was made, checks its forms and destroys it. */
static void check_made(const char* name, nearfar_status made, nearfar_loss* loss) {
  int forms = 0;
  if (made != NEARFAR_OK) {
    fail(name, nearfar_last_error());
    return;
  }
  for (form how = ONE_SET; how <= PROXIES; ++how) forms += check_form(loss, how);
  if (forms == 0) fail(name, "no form");
  nearfar_loss_destroy(loss);
}

/* A loss with its default settings, but for those that `set` changes, in each of its forms. */
#define check(name)                                                              \
  do {                                                                           \
    nearfar_loss* loss = NULL;                                                   \
    nearfar_status made;                                                         \
    nearfar_##name##_options options;                                            \
    if (nearfar_##name##_options_init(&options, sizeof options) != NEARFAR_OK) { \
      fail(#name, nearfar_last_error());                                         \
    }                                                                            \
    set(#name, &options);                                                        \
    made = nearfar_##name##_create(&options, &loss);                             \
    check_made(#name, made, loss);                                               \
  } while (0);

int main(void) {
  uint64_t state = 11;
  for (int k = 0; k < N * D; ++k) constant_rows[k] = next(&state);
#include "every_loss.h"
  printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
