/* Every loss through the C interface, compiled as C: its gradient must be that of its value. */
#include <math.h>
#include <nearfar/nearfar.h>
#include <stdio.h>
#include <string.h>

enum { N = 12, D = 5, STEPS = 2, LENGTH = 4 };

typedef enum form { ONE_SET, TWO_SETS, PAIRS, THREE_SETS, NEGATIVES, LABELLED, REFERENCES } form;

/* Rows of a call: x, y and z have as many elements, whatever their shape. */
typedef struct inputs {
  double rows[3][N * D];
} inputs;

static int failures = 0;

static void fail(const char* what, const char* why) {
  printf("%s: %s\n", what, why);
  ++failures;
}

/* The value of a loss, and where d is given its gradients. */
static double run(const nearfar_loss* loss, form how, const inputs* in, inputs* d) {
  static const int64_t labels[N] = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 3, 3};
  static const int64_t same[N] = {1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1};
  static const double log_noise[N] = {-2, -1, -3, -2, -1, -2, -3, -2, -1, -2, -3, -2};
  const int is_cpc = strcmp(nearfar_loss_name(loss), "Cpc") == 0;
  nearfar_rows x = nearfar_double_rows(in->rows[0], N, D);
  nearfar_rows y = nearfar_double_rows(in->rows[1], N, D);
  /* Cpc: a matrix D x D a step. */
  nearfar_rows z = nearfar_double_rows(in->rows[2], is_cpc ? STEPS * D : N, D);
  nearfar_gradient dx = {0}, dy = {0}, dz = {0};
  const nearfar_integers match = {same, N};
  const nearfar_targets targets = nearfar_targets_of_labels(labels, N);
  nearfar_negatives negatives;
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
  }
  if (status != NEARFAR_OK) fail(nearfar_loss_name(loss), nearfar_last_error());
  return result.value;
}

/* Fixed numbers in [-1, 1). */
static double next(uint64_t* state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (double)(*state >> 11) / 4503599627370496.0 - 1;
}

static void check_form(const nearfar_loss* loss, form how) {
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
}

/* Takes the loss that was made, checks its forms and destroys it. */
static void check(nearfar_status made, nearfar_loss* loss, const form* forms, int count) {
  if (made != NEARFAR_OK) {
    fail("create", nearfar_last_error());
    return;
  }
  for (int i = 0; i < count; ++i) check_form(loss, forms[i]);
  nearfar_loss_destroy(loss);
}

/* A loss with its default settings, but for those that `settings` changes, in each of its forms. */
#define CHECK(name, settings, ...)                                               \
  do {                                                                           \
    const form forms[] = {__VA_ARGS__};                                          \
    nearfar_loss* loss = NULL;                                                   \
    nearfar_status made;                                                         \
    nearfar_##name##_options options;                                            \
    if (nearfar_##name##_options_init(&options, sizeof options) != NEARFAR_OK) { \
      fail(#name, nearfar_last_error());                                         \
    }                                                                            \
    settings;                                                                    \
    made = nearfar_##name##_create(&options, &loss);                             \
    check(made, loss, forms, (int)(sizeof forms / sizeof forms[0]));             \
  } while (0)

int main(void) {
  CHECK(alignment, (void)0, TWO_SETS);
  CHECK(circle, options.weights = NEARFAR_CIRCLE_DIFFERENTIATED;
        options.gamma = 8, LABELLED, REFERENCES);
  CHECK(clip, (void)0, TWO_SETS);
  CHECK(cpc, options.length = LENGTH; options.steps = STEPS, THREE_SETS);
  CHECK(hadsell_contrastive, (void)0, PAIRS, LABELLED, REFERENCES);
  CHECK(hard_negative, (void)0, TWO_SETS);
  CHECK(info_nce, (void)0, TWO_SETS, NEGATIVES);
  CHECK(lifted_structure, (void)0, LABELLED, REFERENCES);
  CHECK(linear_contrastive, (void)0, LABELLED, REFERENCES);
  CHECK(mined_triplet, (void)0, LABELLED, REFERENCES);
  CHECK(multi_similarity, (void)0, LABELLED, REFERENCES);
  CHECK(mutual_information, (void)0, TWO_SETS);
  CHECK(n_pair, (void)0, TWO_SETS, NEGATIVES);
  CHECK(nce, (void)0, NEGATIVES);
  CHECK(negative_sampling, (void)0, NEGATIVES);
  CHECK(nt_xent, (void)0, TWO_SETS);
  CHECK(sig_lip, (void)0, TWO_SETS);
  CHECK(sup_con, (void)0, LABELLED, REFERENCES);
  CHECK(triplet, (void)0, THREE_SETS);
  CHECK(uniformity, (void)0, ONE_SET);
  printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
